//! Ways through the code: who takes one, what they know, and what is pending where it ends.

use super::access::{Lanes, Pending};
use super::value::Value;
use naga::{Handle, LocalVariable};
use std::collections::BTreeMap;

/// Who is here, and what they know.
#[derive(Clone)]
pub struct State {
    pub active: Lanes,
    /// The variables of the function that are a u32 or a bool.
    pub locals: BTreeMap<Handle<LocalVariable>, Value>,
}

impl State {
    /// Where two ways meet.
    pub fn join(self, other: &State) -> State {
        let join = |(&handle, value): (&Handle<LocalVariable>, &Value)| {
            let other_value = other.locals.get(&handle)?;
            let joined = value.join(self.active, other_value, other.active);
            Some((handle, joined))
        };
        State {
            active: self.active.union(other.active),
            locals: self.locals.iter().filter_map(join).collect(),
        }
    }

    /// Does a loop that comes back like this bring nothing new?
    pub fn knows_as_much(&self, other: &State) -> bool {
        let same = |a: &Value, b: &Value| match (a, b) {
            (Value::Numbers(a), Value::Numbers(b)) => a == b,
            (Value::Unknown, Value::Unknown) => true,
            _ => false,
        };
        let pairs = self.locals.iter().zip(&other.locals);
        self.active == other.active
            && self.locals.len() == other.locals.len()
            && pairs.into_iter().all(|(a, b)| a.0 == b.0 && same(a.1, b.1))
    }
}

/// Where a way through the code ends.
#[derive(Clone)]
pub struct End {
    pub state: State,
    pub pending: Pending,
}

/// The ways that meet in one place.
#[derive(Clone, Default)]
pub struct Meeting(pub Option<End>);

impl Meeting {
    pub fn add(&mut self, end: End) {
        self.0 = Some(match self.0.take() {
            None => end,
            Some(mut all) => {
                all.pending.add(end.pending);
                all.state = all.state.join(&end.state);
                all
            }
        });
    }

    /// All who take one of the ways.
    pub fn active(&self) -> Lanes {
        self.0.as_ref().map_or(Lanes::default(), |e| e.state.active)
    }
}

/// A loop or a switch, and the ways out of its middle.
#[derive(Default)]
pub struct Scope {
    pub is_loop: bool,
    pub breaks: Meeting,
    pub continues: Meeting,
}
