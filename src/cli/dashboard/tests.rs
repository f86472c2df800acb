//! What the dashboard shows of a run's events, on terminals of several sizes.

use super::state::{Phase, State};
use super::{divert, screen, view};
use crate::gpu::adapter::{Info, Kind};
use crate::train::{EpochRow, Event};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn shown(state: &State, told: &[&str], is_stopping: bool, [width, height]: [u16; 2]) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    let told: Vec<String> = told.iter().map(ToString::to_string).collect();
    let draw = |frame: &mut ratatui::Frame| view::draw(frame, state, &told, is_stopping);
    terminal.draw(draw).expect("memory takes it");
    let cells = terminal
        .backend()
        .buffer()
        .content
        .chunks(usize::from(width));
    let lines = cells.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>());
    lines.collect::<Vec<_>>().join("\n")
}

fn row(epoch: u32, val_loss: f64) -> EpochRow {
    EpochRow {
        epoch,
        loss: 1.5 / f64::from(epoch),
        accuracy: 0.3 + 0.1 * f64::from(epoch),
        val_loss,
        val_accuracy: 0.45,
        seconds: 100.0,
        learning_rate: Some(0.001),
    }
}

/// A run in its third epoch, a step each 250 ms.
fn running() -> State {
    let mut state = State::default();
    let mut now = Instant::now();
    for epoch in 1..=3 {
        for batch in 1..=40 {
            now += Duration::from_millis(250);
            let event = Event::Step {
                epoch,
                batch,
                batches: 40,
                loss: 2.0 / f64::from(epoch),
                accuracy: 0.25,
            };
            state.event(&event, now);
            if epoch == 3 && batch == 10 {
                return state;
            }
        }
        assert_eq!(state.phase, Phase::Validating);
        state.event(
            &Event::Epoch(row(epoch, [1.9, 1.25][epoch as usize - 1])),
            now,
        );
        state.epochs = 5;
    }
    state
}

#[test]
fn figures_follow_from_the_events() {
    let state = running();
    assert_eq!(state.step_time(), Some(Duration::from_millis(250)));
    assert_eq!(state.best(), Some((1.25, 2)));
    // 30 steps, then two epochs that last as the one before.
    let left = state.left().expect("known");
    assert_eq!(left, [7500, 207_500].map(Duration::from_millis));
}

#[test]
fn common_terminals_show_all_of_it() {
    let state = running();
    for size in [[60, 20], [80, 24], [120, 40], [200, 60]] {
        let picture = shown(&state, &["note: a notice", "note: another"], false, size);
        println!("{picture}");
        let wide = [
            "250.0 ms a step",
            "loss 0.6667, accuracy 0.2500",
            "loss 1.2500 in epoch 2",
            "accuracy: training, validation",
        ];
        let narrow = [
            "images/s",
            "loss 0.667, acc 0.25",
            "loss 1.250, epoch 2",
            "accuracy: train, val",
        ];
        let always = [
            "loss:",
            "memory",
            "epoch 3 of 5",
            "3:28 left",
            "step 10 of 40",
            "8 s left",
            "note: another",
            " training ",
            "stops and saves",
        ];
        for part in always
            .into_iter()
            .chain(if size[0] < 80 { narrow } else { wide })
        {
            assert!(picture.contains(part), "{part} at {size:?}:\n{picture}");
        }
        let dots = picture
            .chars()
            .filter(|c| ('\u{2801}'..='\u{28ff}').contains(c))
            .count();
        assert!(dots > 10, "no curves at {size:?}:\n{picture}");
    }
    let stopping = shown(&state, &[], true, [80, 24]);
    assert!(
        stopping.contains(" stopping ") && stopping.contains("again quits"),
        "{stopping}"
    );
}

#[test]
fn a_terminal_that_is_too_small_says_so() {
    for size in [[59, 40], [100, 19], [30, 6], [8, 2], [1, 1]] {
        let picture = shown(&running(), &["note"], false, size);
        if size[0] > 25 {
            assert!(
                picture.contains("too small") && picture.contains("60×20"),
                "{picture}"
            );
        }
    }
}

#[test]
fn every_phase_and_odd_value_can_be_shown() {
    let mut state = State::default();
    let size = [80, 24];
    assert!(shown(&state, &[], false, size).contains("opening the device"));
    state.event(&Event::Compiling { done: 3, total: 40 }, Instant::now());
    let picture = shown(&state, &[], false, size);
    assert!(
        picture.contains("compiling kernels 3/40") && picture.contains("kernel 3 of 40"),
        "{picture}"
    );
    for loss in [f64::NAN, f64::INFINITY, 0.0, 1e30] {
        let step = Event::Step {
            epoch: 1,
            batch: 1,
            batches: 1,
            loss,
            accuracy: 0.0,
        };
        state.event(&step, Instant::now());
        state.event(&Event::Epoch(row(1, loss)), Instant::now());
        shown(&state, &[], false, size);
    }
}

#[test]
fn a_long_epoch_keeps_few_points() {
    let mut state = State::default();
    for batch in 1..=50_000 {
        let step = Event::Step {
            epoch: 1,
            batch,
            batches: 50_000,
            loss: 1.0,
            accuracy: 0.5,
        };
        state.event(&step, Instant::now());
    }
    assert!(
        (100..=400).contains(&state.trail.len()),
        "{}",
        state.trail.len()
    );
    assert_eq!(state.trail.last().map(|point| point[0]), Some(1.0));
    let ordered = state.trail.windows(2).all(|pair| pair[0][0] < pair[1][0]);
    assert!(ordered);
}

/// A resumed run shows what it did before.
#[test]
fn the_history_of_before_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "epoch,loss,accuracy,val_loss,val_accuracy,seconds\n1,2,0.2,1.9,0.3,5\n2,1.5,0.4,NaN,0.35,5\n";
    std::fs::write(folder.path().join("history.csv"), text).expect("written");
    let started = |folder: &Path| {
        let mut state = State::default();
        let info = Info {
            name: "a card".into(),
            kind: Kind::Discrete,
            backend: "vulkan",
            driver: String::new(),
            pci: [0; 2],
        };
        let event = Event::Started {
            adapter: &info,
            folder,
            model: "inception-gap",
            step: 10,
            epoch: 3,
            epochs: 5,
        };
        state.event(&event, Instant::now());
        state
    };
    let state = started(folder.path());
    assert_eq!(state.history.len(), 2);
    assert_eq!(state.best(), Some((1.9, 1)));
    // How long an epoch took elsewhere says nothing of here.
    assert_eq!(state.left(), None);
    assert!(started(Path::new("nowhere")).history.is_empty());
}

/// And what was told meanwhile is written, not kept for ever.
#[test]
fn a_panic_gives_the_screen_back() {
    static GIVEN_BACK: AtomicBool = AtomicBool::new(false);
    divert::begin(|| GIVEN_BACK.store(true, Ordering::SeqCst));
    assert!(divert::keep(false, "told meanwhile"));
    assert_eq!(divert::last(3), ["told meanwhile"]);
    screen::leave_on_panic();
    let panicked = std::thread::spawn(|| panic!("on purpose")).join();
    assert!(panicked.is_err());
    assert!(GIVEN_BACK.load(Ordering::SeqCst));
    assert!(!divert::keep(false, "told later"));
}
