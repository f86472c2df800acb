//! The order of computation: that of the text where it can be, else a layer waits for those that it reads. And
//! what no order mends: layers that wait for each other, layers that nobody reads.

use super::definition::{Entry, Source};
use crate::documents::Fault;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

fn reads(layer: &Entry) -> impl Iterator<Item = usize> {
    layer.inputs.iter().filter_map(|input| match input.is {
        Source::Image => None,
        Source::Layer(number) => Some(number),
    })
}

/// Numbers of layers, each behind those that it reads, else as the text has them.
pub(super) fn of(layers: &[Entry]) -> Result<Vec<usize>, Fault> {
    let mut readers = vec![Vec::new(); layers.len()];
    let mut waits = vec![0; layers.len()];
    for (number, layer) in layers.iter().enumerate() {
        for read in reads(layer) {
            readers[read].push(number);
            waits[number] += 1;
        }
    }
    let free = (0..layers.len()).filter(|&number| waits[number] == 0);
    let mut ready: BinaryHeap<_> = free.map(Reverse).collect();
    let mut order = Vec::new();
    while let Some(Reverse(number)) = ready.pop() {
        order.push(number);
        for &reader in &readers[number] {
            waits[reader] -= 1;
            if waits[reader] == 0 {
                ready.push(Reverse(reader));
            }
        }
    }
    match waits.iter().position(|&left| left > 0) {
        None => Ok(order),
        Some(start) => Err(circle(layers, &waits, start)),
    }
}

/// Tells of a circle among those that still wait: each of them waits for another.
fn circle(layers: &[Entry], waits: &[usize], start: usize) -> Fault {
    let waiting = |number: usize| {
        let waiting = |&read: &usize| waits[read] > 0;
        reads(&layers[number]).find(waiting).expect("it waits")
    };
    // After so many steps the walk is in a circle.
    let first = (0..layers.len()).fold(start, |number, _| waiting(number));
    let mut names = vec![format!("`{}`", layers[first].name)];
    let mut number = waiting(first);
    while number != first {
        names.push(format!("`{}`", layers[number].name));
        number = waiting(number);
    }
    names.push(names[0].clone());
    let input = layers[first].inputs.iter();
    let mut input = input.filter(|i| matches!(i.is, Source::Layer(n) if waits[n] > 0));
    let at = &input.next().expect("it waits").span;
    let message = format!(
        "layers read each other in a circle: {}",
        names.join(", which reads ").replacen(", which", "", 1)
    );
    Fault::new(message, at)
}

/// Refuses a layer whose output goes nowhere.
pub(super) fn all_are_read(layers: &[Entry]) -> Result<(), Fault> {
    let mut read = vec![false; layers.len()];
    layers
        .iter()
        .flat_map(reads)
        .for_each(|number| read[number] = true);
    let lost = layers
        .iter()
        .enumerate()
        .find(|(number, layer)| !read[*number] && !layer.is_head);
    match lost {
        None => Ok(()),
        Some((_, layer)) => {
            let fault = Fault::new(format!("nothing reads `{}`", layer.name), &layer.at);
            Err(fault.help("a layer is read by another, is the last, or makes a [[head]]"))
        }
    }
}
