//! Who has read and written which element of workgroup memory since the last barrier.

use super::value::Numbers;
use naga::{GlobalVariable, Handle};
use std::collections::BTreeMap;

/// A set of invocations, of the 256 that a workgroup may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lanes([u64; 4]);

impl Lanes {
    pub fn all(count: usize) -> Lanes {
        (0..count).collect()
    }
    pub fn has(self, lane: usize) -> bool {
        self.0[lane / 64] >> (lane % 64) & 1 != 0
    }
    pub fn is_empty(self) -> bool {
        self == Lanes::default()
    }
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..256).filter(move |&lane| self.has(lane))
    }
    pub fn union(self, other: Lanes) -> Lanes {
        Lanes(std::array::from_fn(|i| self.0[i] | other.0[i]))
    }
    pub fn intersects(self, other: Lanes) -> bool {
        (0..4).any(|i| self.0[i] & other.0[i] != 0)
    }
    /// Is there one in either set that is not the one in the other?
    fn conflicts(self, others: Lanes) -> bool {
        let single = |lanes: Lanes| lanes.iter().take(2).count() == 1;
        let same = single(self) && self == others;
        !self.is_empty() && !others.is_empty() && !same
    }
}

impl FromIterator<usize> for Lanes {
    fn from_iter<I: IntoIterator<Item = usize>>(lanes: I) -> Lanes {
        let mut set = Lanes::default();
        for lane in lanes {
            set.0[lane / 64] |= 1 << (lane % 64);
        }
        set
    }
}

/// Which element of a variable an access is to: the same for all invocations or not, or any.
#[derive(Clone, Debug)]
pub enum Index {
    Element(Numbers),
    Anywhere,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Read,
    Write,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Users {
    readers: Lanes,
    writers: Lanes,
}

/// All accesses since the last barrier: by variable and element, `None` being any element.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pending(BTreeMap<(Handle<GlobalVariable>, Option<u32>), Users>);

impl Pending {
    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn add(&mut self, other: Pending) {
        for (element, users) in other.0 {
            let own = self.0.entry(element).or_default();
            own.readers = own.readers.union(users.readers);
            own.writers = own.writers.union(users.writers);
        }
    }

    /// Books an access by the active invocations; what is wrong with it, if anything.
    pub fn access(
        &mut self,
        variable: Handle<GlobalVariable>,
        index: &Index,
        active: Lanes,
        kind: Kind,
    ) -> Option<&'static str> {
        let mut by_element: BTreeMap<Option<u32>, Vec<usize>> = BTreeMap::new();
        for lane in active.iter() {
            let element = match index {
                Index::Element(numbers) => numbers[lane],
                Index::Anywhere => None,
            };
            by_element.entry(element).or_default().push(lane);
        }
        let mut wrong = None;
        for (element, lanes) in by_element {
            let lanes: Lanes = lanes.into_iter().collect();
            let found = self.conflict(variable, element, lanes, kind);
            wrong = wrong.or(found);
            let users = self.0.entry((variable, element)).or_default();
            match kind {
                Kind::Read => users.readers = users.readers.union(lanes),
                Kind::Write => users.writers = users.writers.union(lanes),
            }
        }
        wrong
    }

    fn conflict(
        &self,
        variable: Handle<GlobalVariable>,
        element: Option<u32>,
        lanes: Lanes,
        kind: Kind,
    ) -> Option<&'static str> {
        let touched = self.0.iter().filter(|((v, e), _)| {
            let meets = element.is_none() || e.is_none() || *e == element;
            *v == variable && meets
        });
        let (mut readers, mut writers) = (Lanes::default(), Lanes::default());
        for (_, users) in touched {
            readers = readers.union(users.readers);
            writers = writers.union(users.writers);
        }
        match kind {
            Kind::Read if lanes.conflicts(writers) => {
                Some("read, and no barrier since another invocation wrote it")
            }
            Kind::Write if lanes.conflicts(readers) => {
                Some("written, and no barrier since another invocation read it")
            }
            Kind::Write if lanes.conflicts(writers) => {
                Some("written, and no barrier since another invocation wrote it")
            }
            Kind::Write if lanes.conflicts(lanes) => Some("written by several invocations at once"),
            _ => None,
        }
    }
}
