//! NVIDIA's code as Mesa's compiler NAK prints it: loops, and how much of the hot one is arithmetic.
//!
//! assembly -> blocks -> loops -> the loop that adds most -> [`Loop`]
//!
//! A multiprocessor's scheduler starts one instruction of a warp each clock, whatever it is: FFMA's share of the
//! instructions in the loop that adds is the share of the peak that the kernel can reach.

use std::collections::{BTreeMap, BTreeSet};

/// The loop whose own instructions, those of loops within it apart, have the most additions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Loop {
    /// FFMA among its instructions, in tenths of a percent; none where it has no FFMA.
    pub ffma: Option<u64>,
    /// Its instructions, and those of the loop around it.
    pub instructions: u64,
    /// Instructions for one term of the sum behind each output of an invocation, the loop around included, in
    /// hundredths.
    pub per_term: u64,
}

#[derive(Default)]
struct Block {
    instructions: Vec<Instruction>,
    before: Vec<usize>,
    next: Vec<usize>,
}

struct Instruction {
    /// Without its modifiers.
    opcode: String,
    writes: Option<String>,
    operands: Vec<String>,
}

impl Instruction {
    /// `@!p1  r63  = ffma.ftz r0 r68 r63  // delay=1 wt=000011`
    fn parse(line: &str) -> Option<Instruction> {
        let text = line.split("//").next()?.trim();
        let text = match text.strip_prefix('@') {
            Some(guarded) => guarded.split_once(char::is_whitespace)?.1.trim(),
            None => text,
        };
        let (writes, text) = match text.split_once(" = ") {
            Some((writes, rest)) => (writes.split_whitespace().next(), rest.trim()),
            None => (None, text),
        };
        let mut words = text.split_whitespace();
        let opcode = words.next()?.split('.').next()?;
        Some(Instruction {
            opcode: opcode.into(),
            writes: writes.map(str::to_string),
            operands: words
                .map(|word| word.trim_start_matches('-').into())
                .collect(),
        })
    }

    fn is(&self, opcode: &str) -> bool {
        self.opcode == opcode
    }

    /// Does it add to a register in place?
    fn accumulates(&self, opcode: &str) -> bool {
        self.is(opcode)
            && self
                .writes
                .as_ref()
                .is_some_and(|w| self.operands.contains(w))
    }
}

/// `block 1 L5 [0] -> {`, instructions, `} -> [1, 2]`
fn blocks(code: &[String]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for line in code {
        let line = line.trim();
        if line.starts_with("block") && line.ends_with('{') {
            blocks.push(Block::default());
        } else if let Some(next) = line.strip_prefix("} -> [") {
            let numbers = next.trim_end_matches(']').split(',');
            let next = numbers.filter_map(|n| n.trim().parse().ok()).collect();
            blocks.last_mut().expect("a block ends that began").next = next;
        } else if let (Some(block), Some(instruction)) =
            (blocks.last_mut(), Instruction::parse(line))
        {
            block.instructions.push(instruction);
        }
    }
    for at in 0..blocks.len() {
        for next in blocks[at].next.clone() {
            blocks[next].before.push(at);
        }
    }
    blocks
}

/// Header -> blocks. Blocks stand in the order of the source, so that only the end of a loop jumps back.
fn loops(blocks: &[Block]) -> BTreeMap<usize, BTreeSet<usize>> {
    let mut loops: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (end, block) in blocks.iter().enumerate() {
        for &header in block.next.iter().filter(|&&next| next <= end) {
            let body = loops.entry(header).or_insert_with(|| [header].into());
            let mut open = vec![end];
            while let Some(at) = open.pop() {
                if body.insert(at) {
                    open.extend(&blocks[at].before);
                }
            }
        }
    }
    loops
}

/// The turns of a loop, where it counts to a constant: `ur6 = iadd3 ur6 0x1 rZ`, `isetp.ge.u32 ur6 0x10`.
fn turns(instructions: &[&Instruction]) -> Option<u64> {
    let number = |word: &String| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
    let compares = instructions.iter().filter(|i| i.is("isetp"));
    compares
        .filter_map(|compare| {
            let [counter, end, ..] = compare.operands.as_slice() else {
                return None;
            };
            let step = instructions
                .iter()
                .find(|i| i.accumulates("iadd3") && i.writes.as_ref() == Some(counter))?;
            let step = step
                .operands
                .iter()
                .find_map(number)
                .filter(|&step| step > 0)?;
            Some(number(end)? / step)
        })
        .find(|&turns| turns > 1)
}

impl Loop {
    /// The hot loop of a kernel's code; none where no loop adds.
    pub fn hot(code: &[String]) -> Option<Loop> {
        let blocks = blocks(code);
        let loops = loops(&blocks);
        let own = |body: &BTreeSet<usize>| -> Vec<&Instruction> {
            let inner = loops
                .values()
                .filter(|other| other.is_subset(body) && *other != body);
            let inner: BTreeSet<usize> = inner.flatten().copied().collect();
            let blocks = body.difference(&inner).map(|&at| &blocks[at]);
            blocks.flat_map(|block| &block.instructions).collect()
        };
        let count =
            |all: &[&Instruction], opcode: &str| all.iter().filter(|i| i.is(opcode)).count();
        let (body, hot) = loops
            .values()
            .map(|body| (body, own(body)))
            .max_by_key(|(_, own)| {
                (
                    count(own, "ffma"),
                    count(own, "fadd"),
                    usize::MAX - own.len(),
                )
            })?;
        let ffma = count(&hot, "ffma");
        let opcode = if ffma > 0 { "ffma" } else { "fadd" };
        let adding: Vec<_> = hot.iter().filter(|i| i.accumulates(opcode)).collect();
        let sums: BTreeSet<_> = adding.iter().map(|i| &i.writes).collect();
        if sums.is_empty() {
            return None;
        }
        let terms = adding.len() as f64 / sums.len() as f64;
        let around = loops
            .values()
            .filter(|other| body.is_subset(other) && *other != body)
            .min_by_key(|other| other.len());
        let around = around.map(|body| own(body).len()).unwrap_or(0);
        // Where nobody knows how often the inner loop turns, the other is taken to turn once.
        let shared = turns(&hot).map_or(0.0, |turns| around as f64 / turns as f64);
        Some(Loop {
            ffma: (ffma > 0).then(|| (1_000.0 * ffma as f64 / hot.len() as f64).round() as u64),
            instructions: (hot.len() + around) as u64,
            per_term: (100.0 * (hot.len() as f64 + shared) / terms).round() as u64,
        })
    }
}

/// A loop of 8 turns and two sums within a loop that loads.
const CODE: &str = "\
block.u 0 L2 [] -> {
      r0       = mov rZ                                            // delay=1
} -> [1]
block 1 L3 [0, 3] -> {
      r4..8    = ld.global.b128 [r8]                               // delay=1
                 bar.sync 0x0                                      // delay=1
} -> [2]
block 2 L4 [1, 2] -> {
      r1       = ffma.ftz r4 r5 r1                                 // delay=1
      r2       = ffma.ftz r4 -r6 r2                                // delay=1
      r1       = ffma.ftz r7 r5 r1                                 // delay=1
      r2       = ffma.ftz r7 r6 r2                                 // delay=1
      r3       = iadd3 r3 0x2 rZ                                   // delay=1
      p0       = isetp.ge.u32 r3 0x10                              // delay=1
@!p0             bra pT L4                                         // delay=1
} -> [3, 2]
block 3 L5 [2] -> {
@p1              bra pT L3                                         // delay=1
} -> [4, 1]
block 4 L6 [3] -> {
                 exit                                              // delay=1
} -> []
";

#[test]
fn the_hot_loop_is_the_one_that_adds_most() {
    let code: Vec<String> = CODE.lines().map(str::to_string).collect();
    // Seven instructions, four of them FFMA; two terms a turn; three instructions around, for eight turns.
    let expected = Loop {
        ffma: Some(571),
        instructions: 10,
        per_term: (100.0_f64 * (7.0 + 3.0 / 8.0) / 2.0).round() as u64,
    };
    assert_eq!(Loop::hot(&code), Some(expected));
}

#[test]
fn code_without_a_loop_that_adds_has_none() {
    let straight = CODE.lines().filter(|line| !line.contains("ffma"));
    let code: Vec<String> = straight.map(str::to_string).collect();
    assert_eq!(Loop::hot(&code), None);
}
