//! An ONNX graph under construction: nodes and initialisers, and names that are nobody else's. Values are
//! those of the network's graph, images as (N, C, H, W).

use super::Error;
use super::proto::{
    AttributeProto, AttributeType, FLOAT, GraphProto, INT64, NodeProto, TensorProto, ValueInfoProto,
};
use crate::exchange::transpose::Order;
use crate::graph::{Graph, Node, TensorId};
use std::collections::{HashMap, HashSet};

/// A tensor of the file of weights that the ONNX file holds too, perhaps in another order.
pub(super) struct Initialiser {
    /// Its name in the file of weights.
    pub source: String,
    /// All of its message but the values.
    pub message: TensorProto,
    /// How the file has it, and in which order it is to be written.
    pub order: Order,
}

/// What the layers' converters write to.
pub(super) struct Writer<'a> {
    pub graph: &'a Graph,
    pub nodes: Vec<NodeProto>,
    /// Numbers of the graph itself, which are no weights.
    constants: Vec<TensorProto>,
    pub initialisers: Vec<Initialiser>,
    values: HashMap<TensorId, String>,
    /// Names of values, and of nodes, that are given away.
    taken: HashSet<String>,
    taken_by_nodes: HashSet<String>,
}

impl<'a> Writer<'a> {
    /// `reserved` are names that the inputs and outputs of the whole have.
    pub fn new(graph: &'a Graph, reserved: &[&str]) -> Writer<'a> {
        Writer {
            graph,
            nodes: Vec::new(),
            constants: Vec::new(),
            initialisers: Vec::new(),
            values: HashMap::new(),
            taken: reserved.iter().map(|name| name.to_string()).collect(),
            taken_by_nodes: HashSet::new(),
        }
    }

    /// Says what the value of a tensor is called.
    pub fn name(&mut self, tensor: TensorId, name: &str) {
        self.values.insert(tensor, name.into());
    }

    /// The name of a tensor's value.
    pub fn value(&mut self, tensor: TensorId) -> String {
        if let Some(name) = self.values.get(&tensor) {
            return name.clone();
        }
        let name = free(&mut self.taken, &self.graph.tensors[tensor].name);
        self.values.insert(tensor, name.clone());
        name
    }

    /// A value between two nodes of one layer.
    pub fn between(&mut self, wanted: &str) -> String {
        free(&mut self.taken, wanted)
    }

    /// A single number.
    pub fn constant(&mut self, wanted: &str, value: f32) -> String {
        self.numbers(wanted, Vec::new(), &[value])
    }

    /// So many times the same number.
    pub fn vector(&mut self, wanted: &str, value: f32, count: u32) -> String {
        self.numbers(wanted, vec![count.into()], &vec![value; count as usize])
    }

    /// A number for each channel of (N, C, H, W).
    pub fn by_channel(&mut self, wanted: &str, values: &[f32]) -> String {
        self.numbers(wanted, vec![values.len() as i64, 1, 1], values)
    }

    fn numbers(&mut self, wanted: &str, dims: Vec<i64>, values: &[f32]) -> String {
        let name = self.between(wanted);
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.constants.push(TensorProto {
            dims,
            data_type: Some(FLOAT),
            name: Some(name.clone()),
            raw_data: Some(bytes.collect()),
        });
        name
    }

    /// A row of whole numbers.
    pub fn integers(&mut self, wanted: &str, values: &[i64]) -> String {
        let name = self.between(wanted);
        self.constants.push(TensorProto {
            dims: vec![values.len() as i64],
            data_type: Some(INT64),
            name: Some(name.clone()),
            raw_data: Some(values.iter().flat_map(|v| v.to_le_bytes()).collect()),
        });
        name
    }

    /// The layer's own tensor number `own`, in an order of its axes and of that shape. One that several layers
    /// share is written once.
    pub fn held(&mut self, node: &Node, own: usize, order: Order, shape: &[u32]) -> String {
        let tensor = node.own[own];
        if let Some(name) = self.values.get(&tensor) {
            return name.clone();
        }
        let name = self.value(tensor);
        self.initialisers.push(Initialiser {
            source: self.graph.tensors[tensor].name.clone(),
            message: TensorProto {
                dims: shape.iter().map(|&extent| extent.into()).collect(),
                data_type: Some(FLOAT),
                name: Some(name.clone()),
                raw_data: None,
            },
            order,
        });
        name
    }

    /// A node of one output.
    pub fn node(
        &mut self,
        name: &str,
        op: &str,
        inputs: Vec<String>,
        output: String,
        attributes: Vec<AttributeProto>,
    ) {
        self.nodes.push(NodeProto {
            input: inputs,
            output: vec![output],
            name: Some(free(&mut self.taken_by_nodes, name)),
            op_type: Some(op.into()),
            attribute: attributes,
        });
    }

    /// The layer as one node that reads its inputs and `more`.
    pub fn layer(
        &mut self,
        node: &Node,
        op: &str,
        more: Vec<String>,
        attributes: Vec<AttributeProto>,
    ) -> Result<(), Error> {
        let mut inputs: Vec<String> = node.inputs.iter().map(|&id| self.value(id)).collect();
        inputs.extend(more);
        let output = node.outputs[0];
        // A layer and its activation are two nodes of one name, whose outputs differ in theirs.
        let name = &self.graph.tensors[output].name;
        let output = self.value(output);
        self.node(name, op, inputs, output, attributes);
        Ok(())
    }

    /// The message, without the initialisers that are weights, and those.
    pub fn finish(
        self,
        name: &str,
        input: ValueInfoProto,
        output: Vec<ValueInfoProto>,
    ) -> (GraphProto, Vec<Initialiser>) {
        let graph = GraphProto {
            node: self.nodes,
            name: Some(name.into()),
            initializer: self.constants,
            input: vec![input],
            output,
        };
        (graph, self.initialisers)
    }
}

/// A name that is not taken yet, `wanted` if that is not.
fn free(taken: &mut HashSet<String>, wanted: &str) -> String {
    let mut name = wanted.to_string();
    while !taken.insert(name.clone()) {
        name.push('_');
    }
    name
}

/// A whole number.
pub(super) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        i: Some(value),
        r#type: Some(AttributeType::Int.into()),
        ..AttributeProto::default()
    }
}

/// A number.
pub(super) fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        f: Some(value),
        r#type: Some(AttributeType::Float.into()),
        ..AttributeProto::default()
    }
}

/// A list of whole numbers.
pub(super) fn ints(name: &str, values: impl IntoIterator<Item = u32>) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        ints: values.into_iter().map(i64::from).collect(),
        r#type: Some(AttributeType::Ints.into()),
        ..AttributeProto::default()
    }
}
