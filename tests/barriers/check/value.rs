//! What is known of a value in each invocation of a workgroup.

use super::access::{Index, Lanes};
use naga::{BinaryOperator, GlobalVariable, Handle, LocalVariable, MathFunction, UnaryOperator};
use std::rc::Rc;

/// A u32, or a bool as 0 or 1, of each invocation, where it is known.
pub type Numbers = Rc<[Option<u32>]>;

#[derive(Clone, Debug)]
pub enum Value {
    Numbers(Numbers),
    /// A pointer to a whole array in workgroup memory.
    Array(Handle<GlobalVariable>),
    /// A pointer to an element of one, or into it. What is no array is one element.
    Element(Handle<GlobalVariable>, Index),
    /// A pointer to a whole variable of the function.
    Local(Handle<LocalVariable>),
    /// Any other number, vector, struct or pointer. It points to no workgroup memory.
    Unknown,
}

impl Value {
    pub fn same(number: u32, count: usize) -> Value {
        Value::Numbers(vec![Some(number); count].into())
    }

    pub fn own_index(count: usize) -> Value {
        Value::Numbers((0..count as u32).map(Some).collect())
    }

    fn lane(&self, lane: usize) -> Option<u32> {
        match self {
            Value::Numbers(numbers) => numbers[lane],
            _ => None,
        }
    }

    /// As the number of an element.
    pub fn index(&self) -> Index {
        match self {
            Value::Numbers(numbers) => Index::Element(numbers.clone()),
            _ => Index::Anywhere,
        }
    }

    /// Invocations for which a condition may hold, and those for which it may not.
    pub fn split(&self, active: Lanes) -> (Lanes, Lanes) {
        let which = |never: u32| {
            let may = |&lane: &usize| self.lane(lane) != Some(never);
            active.iter().filter(may).collect()
        };
        (which(0), which(1))
    }

    /// This value in some invocations, another in others; where both are possible, one that they share.
    pub fn join(&self, own: Lanes, other: &Value, others: Lanes) -> Value {
        let (Value::Numbers(a), Value::Numbers(b)) = (self, other) else {
            return Value::Unknown;
        };
        let one = |lane: usize| match (own.has(lane), others.has(lane)) {
            (true, true) => a[lane].filter(|_| a[lane] == b[lane]),
            (true, false) => a[lane],
            (false, true) => b[lane],
            (false, false) => None,
        };
        Value::Numbers((0..a.len()).map(one).collect())
    }

    fn map(&self, f: impl Fn(u32) -> Option<u32>) -> Value {
        match self {
            Value::Numbers(numbers) => Value::Numbers(numbers.iter().map(|&n| f(n?)).collect()),
            _ => Value::Unknown,
        }
    }

    pub fn unary(&self, op: UnaryOperator) -> Value {
        match op {
            UnaryOperator::LogicalNot => self.map(|n| Some(1 - n)),
            UnaryOperator::BitwiseNot => self.map(|n| Some(!n)),
            UnaryOperator::Negate => Value::Unknown,
        }
    }

    /// All numbers here are u32 or bool: there is one way to compute with them.
    pub fn binary(&self, op: BinaryOperator, other: &Value) -> Value {
        use BinaryOperator as Op;
        let compute = |a: u32, b: u32| match op {
            Op::Add => Some(a.wrapping_add(b)),
            Op::Subtract => Some(a.wrapping_sub(b)),
            Op::Multiply => Some(a.wrapping_mul(b)),
            Op::Divide => a.checked_div(b),
            Op::Modulo => a.checked_rem(b),
            Op::Equal => Some((a == b).into()),
            Op::NotEqual => Some((a != b).into()),
            Op::Less => Some((a < b).into()),
            Op::LessEqual => Some((a <= b).into()),
            Op::Greater => Some((a > b).into()),
            Op::GreaterEqual => Some((a >= b).into()),
            Op::And | Op::LogicalAnd => Some(a & b),
            Op::InclusiveOr | Op::LogicalOr => Some(a | b),
            Op::ExclusiveOr => Some(a ^ b),
            Op::ShiftLeft => a.checked_shl(b),
            Op::ShiftRight => a.checked_shr(b),
        };
        self.zip(other, |a, b| compute(a?, b?))
    }

    pub fn math(&self, function: MathFunction, other: &Value) -> Value {
        match function {
            MathFunction::Min => self.zip(other, |a, b| Some(a?.min(b?))),
            MathFunction::Max => self.zip(other, |a, b| Some(a?.max(b?))),
            _ => Value::Unknown,
        }
    }

    pub fn select(&self, accept: &Value, reject: &Value) -> Value {
        let Value::Numbers(condition) = self else {
            return Value::Unknown;
        };
        let one = |(lane, holds): (usize, &Option<u32>)| match holds {
            Some(0) => reject.lane(lane),
            Some(_) => accept.lane(lane),
            None => None,
        };
        Value::Numbers(condition.iter().enumerate().map(one).collect())
    }

    /// As u32: from bool and u32, the only numbers that are known.
    pub fn convert(&self, kind: naga::ScalarKind, bytes: Option<naga::Bytes>) -> Value {
        match (kind, bytes) {
            (naga::ScalarKind::Uint, Some(4)) => self.clone(),
            (naga::ScalarKind::Bool, Some(_)) => self.map(|n| Some((n != 0).into())),
            _ => Value::Unknown,
        }
    }

    fn zip(&self, other: &Value, f: impl Fn(Option<u32>, Option<u32>) -> Option<u32>) -> Value {
        match (self, other) {
            (Value::Numbers(a), Value::Numbers(b)) => {
                Value::Numbers(a.iter().zip(b.iter()).map(|(&a, &b)| f(a, b)).collect())
            }
            _ => Value::Unknown,
        }
    }
}
