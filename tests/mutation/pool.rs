//! Runs many mutants, each worker being this test binary once more: what a fault does to the process
//! that runs it, an endless kernel or a crash, ends that process alone and counts as seen.
//!
//! The parent writes numbers of mutants to a worker's stdin; a line for each case that begins
//! and one for the verdict come back. Both draw the same mutants.

use crate::draw::{Draw, draw};
use crate::module::Compiler;
use crate::verdict::{Bench, Verdict};
use fer_gpu::gpu::{Adapter, LimitChoice};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Set for workers.
const WORKER: &str = "FER_GPU_MUTATION_WORKER";
/// The name of the test that is a worker.
const TEST: &str = "worker";
/// Software adapters fill the cores themselves; a second worker fills the gaps.
const WORKERS: usize = 2;
/// For one case with its reference, the largest on a busy machine.
const LIMIT: Duration = Duration::from_secs(150);
/// Begins a worker's lines: the test harness writes to the same stream.
const MARK: &str = "mutation: ";

/// The adapter of the run: subgroups of 8 see the subgroup kernels, and let a workgroup of the
/// shared ones have several, which run one after another up to a barrier.
pub fn adapter() -> Adapter {
    Adapter::all()
        .into_iter()
        .find(|a| a.info.nickname() == "lavapipe" && a.profile(LimitChoice::Native).has_subgroup(8))
        .expect("lavapipe with subgroups of 8 (Debian: mesa-vulkan-drivers)")
}

/// A worker's whole life; nothing where the process is none.
pub fn serve() {
    if std::env::var_os(WORKER).is_none() {
        return;
    }
    let mut compiler = Compiler::default();
    let draw = draw(|mutant| compiler.fate(mutant));
    let mut bench = Bench::new(adapter());
    let say = |line: &str| println!("\n{MARK}{line}");
    for line in std::io::stdin().lines() {
        let index: usize = line.expect("a line").parse().expect("a number");
        let mutant = &draw.mutants[index];
        let targets = compiler.targets(mutant).expect("it was drawn");
        match bench.examine(mutant, &targets, |case| say(&format!("case {case}"))) {
            Verdict::Killed(how) => say(&format!("killed {how}")),
            Verdict::Survived => say("survived"),
        }
    }
}

struct Worker {
    child: Child,
    jobs: ChildStdin,
    lines: Receiver<String>,
}

impl Worker {
    fn start() -> Worker {
        let mut child = Command::new(std::env::current_exe().expect("this binary"))
            .args([TEST, "--exact", "--ignored", "--nocapture"])
            .env(WORKER, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a worker starts");
        let jobs = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some(line) = line.strip_prefix(MARK)
                    && send.send(line.to_string()).is_err()
                {
                    return;
                }
            }
        });
        Worker { child, jobs, lines }
    }

    /// Runs one mutant. A worker that falls silent or dies is replaced.
    fn examine(&mut self, index: usize) -> Verdict {
        let mut case = "no case yet".to_string();
        let sent = writeln!(self.jobs, "{index}").and_then(|()| self.jobs.flush());
        let end = loop {
            match self.lines.recv_timeout(LIMIT) {
                Ok(line) => match line.split_once(' ') {
                    Some(("case", name)) => case = name.to_string(),
                    Some(("killed", how)) => return Verdict::Killed(how.into()),
                    _ => return Verdict::Survived,
                },
                Err(RecvTimeoutError::Timeout) => break "it never ends",
                Err(RecvTimeoutError::Disconnected) => break "the process crashes",
            }
        };
        assert!(sent.is_ok() && case != "no case yet", "a worker is broken");
        *self = Worker::start();
        Verdict::Killed(format!("{case}: {end}"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The verdicts of the mutants with these numbers. Workers begin at either end of the list: files lie
/// together in it, so that each computes references of its own.
pub fn examine(draw: &Draw, indices: &[usize]) -> Vec<(usize, Verdict)> {
    let queue: Mutex<VecDeque<usize>> = Mutex::new(indices.iter().copied().collect());
    let done = Mutex::new(Vec::new());
    let work = |front: bool| {
        let mut worker = Worker::start();
        let next = || {
            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            if front {
                queue.pop_front()
            } else {
                queue.pop_back()
            }
        };
        while let Some(index) = next() {
            let start = std::time::Instant::now();
            let verdict = worker.examine(index);
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.push((index, verdict.clone()));
            let (m, count) = (&draw.mutants[index], done.len());
            let of = indices.len();
            eprintln!(
                "{count}/{of} {}:{} {}: {verdict:?} {:.1?}",
                m.file,
                m.line,
                m.kind,
                start.elapsed()
            );
        }
    };
    std::thread::scope(|scope| {
        for number in 0..WORKERS {
            let work = &work;
            scope.spawn(move || work(number % 2 == 0));
        }
    });
    let mut verdicts = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    verdicts.sort_by_key(|(index, _)| *index);
    verdicts
}
