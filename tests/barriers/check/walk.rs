//! Runs a kernel for all invocations of a workgroup at once, as far as its numbers are known.

use super::Finding;
use super::access::{Index, Kind, Lanes, Pending};
use super::paths::{End, Meeting, Scope, State};
use super::value::Value;
use naga::{
    AddressSpace, Barrier, Binding, Block, BuiltIn, EntryPoint, Expression, Function, Handle,
    Literal, LocalVariable, Module, Scalar, Span, Statement, Type, TypeInner,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Turns of a loop that are followed one by one; then whatever it changes is unknown.
const TURNS: usize = 1024;

/// Invocations of a workgroup, in all dimensions.
pub fn size(entry: &EntryPoint) -> u32 {
    entry.workgroup_size.iter().product()
}

/// What the check finds in an entry point of at most 256 invocations; `text` is the module's.
pub fn run(module: &Module, entry: &EntryPoint, text: &str) -> Vec<Finding> {
    let mut walker = Walker {
        module,
        text,
        size: size(entry) as usize,
        pending: Pending::default(),
        findings: BTreeSet::new(),
    };
    let is_index = Some(Binding::BuiltIn(BuiltIn::LocalInvocationIndex));
    let argument = |argument: &naga::FunctionArgument| match argument.binding == is_index {
        true => Value::own_index(walker.size),
        false => Value::Unknown,
    };
    let arguments = entry.function.arguments.iter().map(argument).collect();
    walker.function(&entry.function, arguments, Lanes::all(walker.size));
    walker.findings.into_iter().collect()
}

/// A function that runs.
struct Frame<'a> {
    function: &'a Function,
    arguments: Vec<Value>,
    values: HashMap<Handle<Expression>, Value>,
    scopes: Vec<Scope>,
    returns: Meeting,
    /// The value that is returned, and by whom so far.
    result: Option<(Value, Lanes)>,
}

struct Walker<'a> {
    module: &'a Module,
    text: &'a str,
    size: usize,
    /// Accesses since the last barrier on the way to here.
    pending: Pending,
    findings: BTreeSet<Finding>,
}

impl<'a> Walker<'a> {
    fn function(&mut self, function: &'a Function, arguments: Vec<Value>, active: Lanes) -> Value {
        let mut frame = Frame {
            function,
            arguments,
            values: HashMap::new(),
            scopes: Vec::new(),
            returns: Meeting::default(),
            result: None,
        };
        let mut state = State {
            active,
            locals: BTreeMap::new(),
        };
        for (handle, local) in function.local_variables.iter() {
            let value = match local.init {
                Some(init) => self.value(&frame, init),
                None => self.zero(local.ty),
            };
            if let Value::Numbers(_) = value {
                state.locals.insert(handle, value);
            }
        }
        if let Some(state) = self.block(&mut frame, &function.body, state) {
            let pending = self.pending.clone();
            frame.returns.add(End { state, pending });
        }
        if let Some(end) = frame.returns.0 {
            self.pending = end.pending;
        }
        frame.result.map_or(Value::Unknown, |(value, _)| value)
    }

    /// Runs a block; nothing where no way leads to its end.
    fn block(&mut self, frame: &mut Frame<'a>, block: &'a Block, state: State) -> Option<State> {
        let mut state = state;
        for (statement, span) in block.span_iter() {
            state = self.statement(frame, statement, *span, state)?;
        }
        Some(state)
    }

    fn statement(
        &mut self,
        frame: &mut Frame<'a>,
        statement: &'a Statement,
        span: Span,
        mut state: State,
    ) -> Option<State> {
        match statement {
            Statement::Emit(range) => {
                for handle in range.clone() {
                    let value = self.emit(frame, handle, &state);
                    frame.values.insert(handle, value);
                }
            }
            Statement::Block(block) => return self.block(frame, block, state),
            Statement::If {
                condition,
                accept,
                reject,
            } => {
                let (yes, no) = self.value(frame, *condition).split(state.active);
                return self.branches(frame, &[(accept, yes), (reject, no)], state);
            }
            Statement::Switch { cases, .. } => return self.switch(frame, cases, state),
            Statement::Loop {
                body,
                continuing,
                break_if,
            } => return self.turns(frame, body, continuing, *break_if, state),
            Statement::Break | Statement::Continue => {
                let end = End {
                    state,
                    pending: self.pending.clone(),
                };
                let breaks = matches!(statement, Statement::Break);
                let mut scopes = frame.scopes.iter_mut().rev();
                let scope = scopes.find(|scope| breaks || scope.is_loop);
                let scope = scope.expect("naga's validator saw to it");
                if breaks {
                    scope.breaks.add(end);
                } else {
                    scope.continues.add(end);
                }
                return None;
            }
            Statement::Return { value } => {
                let value = value.map_or(Value::Unknown, |value| self.value(frame, value));
                let active = state.active;
                frame.result = Some(match frame.result.take() {
                    None => (value, active),
                    Some((other, others)) => {
                        (other.join(others, &value, active), others.union(active))
                    }
                });
                let pending = self.pending.clone();
                frame.returns.add(End { state, pending });
                return None;
            }
            Statement::ControlBarrier(barrier) => {
                if barrier.contains(Barrier::WORK_GROUP) {
                    self.barrier(span, &state);
                }
            }
            Statement::WorkGroupUniformLoad { pointer, .. } => {
                // A barrier before and behind it are part of it.
                self.barrier(span, &state);
                self.access(frame, *pointer, span, &state, Kind::Read);
                self.barrier(span, &state);
            }
            Statement::Store { pointer, value } => {
                self.access(frame, *pointer, span, &state, Kind::Write);
                if let Value::Local(local) = self.value(frame, *pointer) {
                    let value = self.value(frame, *value);
                    self.assign(&mut state, local, &value);
                }
            }
            // Atomics are no race among themselves, but no kernel has any in workgroup memory.
            Statement::Atomic { pointer, .. } => {
                self.access(frame, *pointer, span, &state, Kind::Write);
            }
            Statement::Call {
                function,
                arguments,
                result,
            } => {
                let arguments: Vec<Value> =
                    arguments.iter().map(|&a| self.value(frame, a)).collect();
                for argument in &arguments {
                    if let Value::Local(local) = argument {
                        self.assign(&mut state, *local, &Value::Unknown);
                    }
                }
                // The callee knows nothing of its caller's variables.
                let hide = |argument: Value| match argument {
                    Value::Local(_) => Value::Unknown,
                    other => other,
                };
                let arguments = arguments.into_iter().map(hide).collect();
                let called = &self.module.functions[*function];
                let value = self.function(called, arguments, state.active);
                if let Some(result) = result {
                    frame.values.insert(*result, value);
                }
            }
            Statement::Kill => return None,
            // These touch no workgroup memory, or are refused with the capabilities that they need.
            Statement::MemoryBarrier(_)
            | Statement::CooperativeStore { .. }
            | Statement::ImageStore { .. }
            | Statement::ImageAtomic { .. }
            | Statement::RayQuery { .. }
            | Statement::RayPipelineFunction(_)
            | Statement::SubgroupBallot { .. }
            | Statement::SubgroupGather { .. }
            | Statement::SubgroupCollectiveOperation { .. } => {}
        }
        Some(state)
    }

    /// Runs blocks of which each invocation takes one that it may take.
    fn branches(
        &mut self,
        frame: &mut Frame<'a>,
        branches: &[(&'a Block, Lanes)],
        state: State,
    ) -> Option<State> {
        // Of blocks with a barrier, all invocations take the same one: a barrier asks for that. Of others,
        // some may be in one and some in another: to run them one after the other brings those together.
        let apart = branches.iter().any(|(block, _)| self.has_barrier(block));
        let before = self.pending.clone();
        let mut meeting = Meeting::default();
        for &(block, active) in branches.iter().filter(|(_, active)| !active.is_empty()) {
            if apart {
                self.pending = before.clone();
            }
            let state = State {
                active,
                ..state.clone()
            };
            if let Some(state) = self.block(frame, block, state) {
                let pending = self.pending.clone();
                meeting.add(End { state, pending });
            }
        }
        let end = meeting.0?;
        if apart {
            self.pending = end.pending;
        }
        Some(end.state)
    }

    /// Runs every case of a switch, and from each case those that it falls through to.
    fn switch(
        &mut self,
        frame: &mut Frame<'a>,
        cases: &'a [naga::SwitchCase],
        state: State,
    ) -> Option<State> {
        frame.scopes.push(Scope::default());
        let before = self.pending.clone();
        let apart = cases.iter().any(|case| self.has_barrier(&case.body));
        let mut falls = Meeting::default();
        let mut meeting = Meeting::default();
        for case in cases {
            let pending = if apart { &before } else { &self.pending };
            falls.add(End {
                state: state.clone(),
                pending: pending.clone(),
            });
            let start = falls.0.take().expect("just added");
            self.pending = start.pending;
            if let Some(state) = self.block(frame, &case.body, start.state) {
                let pending = self.pending.clone();
                let to = if case.fall_through {
                    &mut falls
                } else {
                    &mut meeting
                };
                to.add(End { state, pending });
            }
        }
        let scope = frame.scopes.pop().expect("pushed above");
        scope.breaks.0.into_iter().for_each(|end| meeting.add(end));
        let end = meeting.0?;
        self.pending = end.pending;
        Some(end.state)
    }

    /// Runs a loop: turn by turn while it is known who goes on, then all turns that may come at once.
    fn turns(
        &mut self,
        frame: &mut Frame<'a>,
        body: &'a Block,
        continuing: &'a Block,
        break_if: Option<Handle<Expression>>,
        state: State,
    ) -> Option<State> {
        let mut exits = Meeting::default();
        let mut head = state;
        let mut known = true;
        for turn in 0.. {
            let before = self.pending.clone();
            frame.scopes.push(Scope {
                is_loop: true,
                ..Scope::default()
            });
            let end = self.block(frame, body, head.clone());
            let scope = frame.scopes.pop().expect("pushed above");
            let (mut leave, mut stay) = (scope.breaks, scope.continues);
            if let Some(state) = end {
                let pending = self.pending.clone();
                stay.add(End { state, pending });
            }
            let next = stay.0.and_then(|end| {
                self.pending = end.pending;
                let state = self.block(frame, continuing, end.state)?;
                let Some(condition) = break_if else {
                    return Some(state);
                };
                let (yes, no) = self.value(frame, condition).split(state.active);
                let with = |active| State {
                    active,
                    ..state.clone()
                };
                if !yes.is_empty() {
                    let (state, pending) = (with(yes), self.pending.clone());
                    leave.add(End { state, pending });
                }
                (!no.is_empty()).then(|| with(no))
            });
            let left = leave.active();
            leave.0.into_iter().for_each(|end| exits.add(end));
            let Some(next) = next else {
                break;
            };
            known &= !left.intersects(next.active) && turn < TURNS;
            if known {
                head = next;
                continue;
            }
            let joined = head.clone().join(&next);
            let mut pending = before.clone();
            pending.add(self.pending.clone());
            if joined.knows_as_much(&head) && pending == before {
                break;
            }
            (head, self.pending) = (joined, pending);
        }
        let end = exits.0?;
        self.pending = end.pending;
        Some(end.state)
    }

    fn has_barrier(&self, block: &Block) -> bool {
        block.iter().any(|statement| match statement {
            Statement::ControlBarrier(barrier) => *barrier != Barrier::SUB_GROUP,
            Statement::WorkGroupUniformLoad { .. } => true,
            Statement::Block(block) => self.has_barrier(block),
            Statement::If { accept, reject, .. } => {
                self.has_barrier(accept) || self.has_barrier(reject)
            }
            Statement::Switch { cases, .. } => cases.iter().any(|c| self.has_barrier(&c.body)),
            Statement::Loop {
                body, continuing, ..
            } => self.has_barrier(body) || self.has_barrier(continuing),
            Statement::Call { function, .. } => {
                self.has_barrier(&self.module.functions[*function].body)
            }
            _ => false,
        })
    }

    /// A barrier: what came before it is done.
    fn barrier(&mut self, span: Span, state: &State) {
        if state.active != Lanes::all(self.size) {
            self.report(span, "a barrier that not all invocations reach".into());
        }
        self.pending.clear();
    }

    fn access(
        &mut self,
        frame: &Frame<'a>,
        pointer: Handle<Expression>,
        span: Span,
        state: &State,
        kind: Kind,
    ) {
        let (variable, index) = match self.value(frame, pointer) {
            Value::Array(variable) => (variable, Index::Anywhere),
            Value::Element(variable, index) => (variable, index),
            _ => return,
        };
        if let Some(wrong) = self.pending.access(variable, &index, state.active, kind) {
            let name = self.module.global_variables[variable].name.as_deref();
            let name = name.unwrap_or("workgroup memory");
            self.report(span, format!("{name} is {wrong}"));
        }
    }

    fn report(&mut self, span: Span, what: String) {
        let line = span.location(self.text).line_number as usize;
        let code = self.text.lines().nth(line - 1).unwrap_or_default();
        self.findings.insert(Finding {
            line,
            code: code.trim().into(),
            what,
        });
    }

    /// The active invocations store into a variable of their function.
    fn assign(&self, state: &mut State, local: Handle<LocalVariable>, value: &Value) {
        let Some(old) = state.locals.get(&local) else {
            return;
        };
        let unknown = Value::Numbers(vec![None; self.size].into());
        let value = match value {
            Value::Numbers(_) => value,
            _ => &unknown,
        };
        let others = (0..self.size).filter(|&lane| !state.active.has(lane));
        let new = value.join(state.active, old, others.collect());
        state.locals.insert(local, new);
    }

    /// Zero, where that is a u32 or a bool.
    fn zero(&self, ty: Handle<Type>) -> Value {
        match self.module.types[ty].inner {
            TypeInner::Scalar(Scalar::U32 | Scalar::BOOL) => Value::same(0, self.size),
            _ => Value::Unknown,
        }
    }

    fn literal(&self, literal: Literal) -> Value {
        match literal {
            Literal::U32(number) => Value::same(number, self.size),
            Literal::Bool(holds) => Value::same(holds.into(), self.size),
            _ => Value::Unknown,
        }
    }

    /// The value of an expression that was emitted before, or needs no emitting.
    fn value(&self, frame: &Frame<'a>, handle: Handle<Expression>) -> Value {
        if let Some(value) = frame.values.get(&handle) {
            return value.clone();
        }
        match frame.function.expressions[handle] {
            Expression::Literal(literal) => self.literal(literal),
            Expression::ZeroValue(ty) => self.zero(ty),
            Expression::Constant(constant) => {
                let init = self.module.constants[constant].init;
                match self.module.global_expressions[init] {
                    Expression::Literal(literal) => self.literal(literal),
                    Expression::ZeroValue(ty) => self.zero(ty),
                    _ => Value::Unknown,
                }
            }
            Expression::FunctionArgument(i) => frame.arguments[i as usize].clone(),
            Expression::LocalVariable(local) => Value::Local(local),
            Expression::GlobalVariable(variable) => {
                let global = &self.module.global_variables[variable];
                let is_array =
                    matches!(self.module.types[global.ty].inner, TypeInner::Array { .. });
                match (global.space, is_array) {
                    (AddressSpace::WorkGroup, true) => Value::Array(variable),
                    (AddressSpace::WorkGroup, false) => {
                        Value::Element(variable, Value::same(0, self.size).index())
                    }
                    _ => Value::Unknown,
                }
            }
            _ => Value::Unknown,
        }
    }

    /// Evaluates an expression here and now.
    fn emit(&mut self, frame: &Frame<'a>, handle: Handle<Expression>, state: &State) -> Value {
        let span = frame.function.expressions.get_span(handle);
        let value = |handle| self.value(frame, handle);
        // Parts of an element are the element.
        let part = |base, index: Value| match value(base) {
            Value::Array(variable) => Value::Element(variable, index.index()),
            Value::Element(variable, element) => Value::Element(variable, element),
            _ => Value::Unknown,
        };
        match frame.function.expressions[handle] {
            Expression::Access { base, index } => part(base, value(index)),
            Expression::AccessIndex { base, index } => part(base, Value::same(index, self.size)),
            Expression::Load { pointer } => {
                self.access(frame, pointer, span, state, Kind::Read);
                match self.value(frame, pointer) {
                    Value::Local(local) => {
                        let known = state.locals.get(&local);
                        known.cloned().unwrap_or(Value::Unknown)
                    }
                    _ => Value::Unknown,
                }
            }
            Expression::Unary { op, expr } => value(expr).unary(op),
            Expression::Binary { op, left, right } => value(left).binary(op, &value(right)),
            Expression::Select {
                condition,
                accept,
                reject,
            } => value(condition).select(&value(accept), &value(reject)),
            Expression::Math {
                fun,
                arg,
                arg1: Some(arg1),
                ..
            } => value(arg).math(fun, &value(arg1)),
            Expression::As {
                expr,
                kind,
                convert,
            } => value(expr).convert(kind, convert),
            _ => self.value(frame, handle),
        }
    }
}
