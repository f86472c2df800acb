//! Dispatches that leave a part of the adapter idle: fewer workgroups than fill it.

use crate::bench::report::Report;
use crate::bench::trace::TraceReport;
use crate::cards::Full;

/// So many are named, those that take longest.
const NAMED: usize = 4;

/// A dispatch, or several alike.
struct Narrow<'a> {
    label: &'a str,
    op: &'a str,
    workgroups: u64,
    count: usize,
    /// Of the step, where that was measured.
    share: Option<f64>,
}

/// Workgroups as a cell, marked where they are few.
pub fn cell(workgroups: u64, full: Option<&Full>) -> String {
    let few = full.is_some_and(|full| workgroups < full.workgroups);
    let mark = if few { "! " } else { "" };
    format!("{mark}{workgroups}")
}

/// What `bench --kernels` says of a step's dispatches.
pub fn of_kernels(report: &Report) -> Option<String> {
    let of_step = report.kernels.iter().filter(|row| row.count > 0);
    let all = of_step.map(|row| Narrow {
        label: &row.layer,
        op: &row.op,
        workgroups: row.workgroups(),
        count: row.count,
        share: report.step.as_ref().map(|step| row.of_step(step)),
    });
    warning(report.full.as_ref()?, all.collect())
}

/// The same of a traced step.
pub fn of_trace(report: &TraceReport) -> Option<String> {
    let all = report.dispatches.iter().map(|traced| Narrow {
        label: &traced.label,
        op: &traced.op,
        workgroups: traced.workgroups(),
        count: 1,
        share: Some(traced.share(report)),
    });
    warning(report.full.as_ref()?, all.collect())
}

fn warning(full: &Full, all: Vec<Narrow>) -> Option<String> {
    let count = |some: &[Narrow]| some.iter().map(|n| n.count).sum::<usize>();
    let of = count(&all);
    let few = |n: &Narrow| n.workgroups < full.workgroups;
    let mut few: Vec<Narrow> = all.into_iter().filter(few).collect();
    if few.is_empty() {
        return None;
    }
    let share = few.iter().map(|n| n.share).sum::<Option<f64>>();
    let share = share.map(|share| format!(", {:.0} % of the step", 100.0 * share));
    few.sort_by(|a, b| b.share.unwrap_or(0.0).total_cmp(&a.share.unwrap_or(0.0)));
    let name = |n: &Narrow| format!("{} {} {}", n.label, n.op, n.workgroups);
    let named: Vec<String> = few.iter().take(NAMED).map(name).collect();
    let rest = if few.len() > NAMED { ", ..." } else { "" };
    Some(format!(
        "warning: {} of {of} dispatches have fewer workgroups than fill this GPU (marked !){}.\n  \
         {} fill it: {}.\n  The longest: {}{rest}",
        count(&few),
        share.unwrap_or_default(),
        full.workgroups,
        full.because,
        named.join(", "),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn narrow(label: &str, workgroups: u64, share: f64) -> Narrow<'_> {
        Narrow {
            label,
            op: "conv2d_forward",
            workgroups,
            count: 2,
            share: Some(share),
        }
    }

    fn full() -> Full {
        Full {
            workgroups: 264,
            because: "2 for each of the 132 compute units of this card".into(),
        }
    }

    #[test]
    fn few_workgroups_are_told_the_longest_first() {
        let all = vec![
            narrow("a", 64, 0.1),
            narrow("b", 1152, 0.6),
            narrow("c", 263, 0.2),
            narrow("d", 264, 0.1),
        ];
        let told = warning(&full(), all).expect("a warning");
        assert_eq!(
            told,
            "warning: 4 of 8 dispatches have fewer workgroups than fill this GPU (marked !), 30 % of the step.\n  \
             264 fill it: 2 for each of the 132 compute units of this card.\n  \
             The longest: c conv2d_forward 263, a conv2d_forward 64"
        );
    }

    #[test]
    fn where_all_fill_it_nothing_is_told() {
        assert!(warning(&full(), vec![narrow("b", 1152, 1.0)]).is_none());
        assert_eq!(cell(263, Some(&full())), "! 263");
        assert_eq!(cell(264, Some(&full())), "264");
        assert_eq!(cell(1, None), "1");
    }
}
