//! The block `Inception`: branches over one image, joined along their channels (Szegedy et al. 2014, figure 2b;
//! with batch normalisation, Ioffe and Szegedy 2015; with two 3x3 in place of the 5x5, Szegedy et al. 2015).
//!
//! Branches, in the order in which they are joined: 1x1; 1x1 then 3x3; 1x1 then 5x5; pooling then 1x1. A
//! convolution that has no filters is not there, and a branch without its last one is not there at all.

use super::blocks::{Part, Read};
use super::parts::{Convolution, Parts, Style};
use crate::layers::{Arguments, Unreadable};
use serde_json::{Map, Value};

#[derive(Clone, Debug)]
pub(super) struct Inception {
    filters: Filters,
    /// Two 3x3 in place of the 5x5.
    double: bool,
    /// Keras's class name of the pooling branch's pooling, if there is such a branch.
    pool: Option<&'static str>,
    style: Style,
}

/// Channels that each convolution makes.
#[derive(Clone, Copy, Debug)]
struct Filters {
    one: Option<u32>,
    reduce3: Option<u32>,
    three: Option<u32>,
    reduce5: Option<u32>,
    /// The first of two 3x3.
    middle: Option<u32>,
    five: Option<u32>,
    project: Option<u32>,
}

impl Inception {
    pub fn read(arguments: &Value) -> Result<Inception, Unreadable> {
        let mut arguments = Arguments::of("Inception", arguments)?;
        let filters = filters(&mut arguments)?;
        let double = arguments.flag("double_3x3", false)?;
        let pool = match arguments.word("pool", "max")?.as_str() {
            "max" => Some("MaxPooling2D"),
            "average" => Some("AveragePooling2D"),
            "none" => None,
            other => {
                let what = format!("`pool` is \"{other}\", not \"max\", \"average\" or \"none\"");
                return Err(arguments.wrong(what));
            }
        };
        let style = Style::read(&mut arguments, false)?;
        let block = Inception {
            filters,
            double,
            pool,
            style,
        };
        block.belongs_together(&mut arguments)?;
        arguments.finish()?;
        Ok(block)
    }

    /// Refuses filters of which nothing comes.
    fn belongs_together(&self, arguments: &mut Arguments) -> Result<(), Unreadable> {
        let f = &self.filters;
        let lost = [
            (
                f.reduce3.is_some() && f.three.is_none(),
                "`3x3_reduce` without `3x3`",
            ),
            (
                f.reduce5.is_some() && f.five.is_none(),
                "`5x5_reduce` without `5x5`",
            ),
            (
                f.middle.is_some() && f.five.is_none(),
                "`5x5_middle` without `5x5`",
            ),
            (
                f.middle.is_some() && !self.double,
                "`5x5_middle` without `double_3x3 = true`",
            ),
            (
                f.project.is_some() && self.pool.is_none(),
                "`pool_proj` where `pool` is \"none\"",
            ),
        ];
        let branches = [f.one, f.three, f.five].iter().flatten().count();
        let too_few = branches + usize::from(self.pool.is_some()) < 2;
        let lost = lost
            .into_iter()
            .chain([(too_few, "fewer than two branches")]);
        match lost.into_iter().find(|(is_lost, _)| *is_lost) {
            None => Ok(()),
            Some((_, what)) => {
                // What was read last is what an error points to.
                arguments.take("filters");
                Err(arguments.wrong(format!("its filters have {what}")))
            }
        }
    }

    pub fn parts(&self, name: &str) -> Vec<Part> {
        let (f, x) = (&self.filters, Read::Input(0));
        let mut parts = Parts::of(name, &self.style);
        let conv = |parts: &mut Parts, name: &str, filters: Option<u32>, size: u32, x: Read| {
            let conv = filters.map(|filters| Convolution::square(filters, size));
            conv.map(|conv| parts.convolution(name, &conv, x))
        };
        let one = conv(&mut parts, "1x1", f.one, 1, x);
        let reduce3 = conv(&mut parts, "3x3_reduce", f.reduce3, 1, x).unwrap_or(x);
        let reduce5 = conv(&mut parts, "5x5_reduce", f.reduce5, 1, x).unwrap_or(x);
        let three = conv(&mut parts, "3x3", f.three, 3, reduce3);
        let five = match self.double {
            false => conv(&mut parts, "5x5", f.five, 5, reduce5),
            true => {
                let middle = f.five.and(f.middle.or(f.five));
                let middle = conv(&mut parts, "5x5_middle", middle, 3, reduce5);
                middle.and_then(|middle| conv(&mut parts, "5x5", f.five, 3, middle))
            }
        };
        let pooled = self.pool.map(|kind| {
            let pooled = parts.pool(kind, [3; 2], [1; 2], x);
            conv(&mut parts, "pool_proj", f.project, 1, pooled).unwrap_or(pooled)
        });
        let branches = [one, three, five, pooled].into_iter().flatten().collect();
        parts.add("", "Concatenate", Map::new(), branches);
        parts.all
    }
}

/// The table `filters`.
fn filters(arguments: &mut Arguments) -> Result<Filters, Unreadable> {
    let table = match arguments.take("filters") {
        Some(table @ Value::Object(_)) => table,
        Some(other) => {
            return Err(arguments.wrong(format!(
                "`filters` is {other}, a table is needed, {{ \"1x1\" = 64, \"3x3_reduce\" = 96, ... }}"
            )));
        }
        None => return Err(arguments.wrong("`filters` is missing")),
    };
    let mut table = Arguments::of("Inception", &table)?;
    let mut count = |name| table.maybe_count(name);
    let filters = Filters {
        one: count("1x1")?,
        reduce3: count("3x3_reduce")?,
        three: count("3x3")?,
        reduce5: count("5x5_reduce")?,
        middle: count("5x5_middle")?,
        five: count("5x5")?,
        project: count("pool_proj")?,
    };
    table.finish()?;
    Ok(filters)
}
