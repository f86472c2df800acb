//! Layers that know whom they read -> a model for images of one shape and so many classes: here shapes are known,
//! and blocks become layers.

use super::blocks::{self, Part, Read};
use super::definition::{Definition, Entry, HeadEntry, Source};
use crate::documents::Fault;
use crate::graph::TensorId;
use crate::network::{Builder, Head, Model};

impl Definition {
    /// The model for images of (height, width, channels).
    ///
    /// # Errors
    /// Where a layer cannot take its inputs, or a head is no (n, classes).
    pub fn assemble(&self, image: [u32; 3], classes: u32) -> Result<Model, Fault> {
        let mut builder = Builder::new();
        let mut assembly = Assembly {
            definition: self,
            image: builder.input(super::definition::IMAGE, image),
            outputs: vec![None; self.layers.len()],
            builder,
            classes,
        };
        for &number in &self.order {
            let made = assembly.entry(&self.layers[number])?;
            assembly.outputs[number] = Some(made);
        }
        let mut heads: Vec<Head> = Vec::new();
        for head in &self.heads {
            let logits = assembly.head(head)?;
            if heads.iter().any(|before| before.logits == logits) {
                return Err(Fault::new("another head has the same logits", &head.at));
            }
            heads.push(Head {
                name: head.name.clone(),
                logits,
                weight: head.weight,
            });
        }
        Ok(assembly.builder.model_with_heads(&self.name, heads))
    }
}

struct Assembly<'a> {
    definition: &'a Definition,
    builder: Builder,
    image: TensorId,
    /// What each layer of the text makes, where it is there.
    outputs: Vec<Option<TensorId>>,
    classes: u32,
}

impl Assembly<'_> {
    /// Adds what an entry stands for.
    fn entry(&mut self, entry: &Entry) -> Result<TensorId, Fault> {
        let inputs: Vec<TensorId> = entry
            .inputs
            .iter()
            .map(|input| match input.is {
                Source::Image => self.image,
                Source::Layer(number) => self.outputs[number].expect("it stands before"),
            })
            .collect();
        if entry.what.is_block() && inputs.len() != 1 {
            let message = format!(
                "{}: a block reads one layer, not {}",
                entry.name,
                inputs.len()
            );
            return Err(Fault::new(message, &entry.inputs[1].span));
        }
        // Its loss applies the softmax to the logits.
        if entry.is_head && entry.what.is_softmax() && inputs.len() == 1 {
            return Ok(inputs[0]);
        }
        let shapes: Vec<_> = inputs.iter().map(|&id| self.builder.shape(id)).collect();
        let mut made: Vec<TensorId> = Vec::new();
        for part in entry
            .what
            .parts(&entry.name, &shapes.iter().collect::<Vec<_>>())
        {
            let reads: Vec<TensorId> = part
                .reads
                .iter()
                .map(|read| match read {
                    Read::Input(i) => inputs[*i],
                    Read::Part(i) => made[*i],
                })
                .collect();
            made.push(self.part(entry, part, &reads)?);
        }
        Ok(*made.last().expect("a block has layers"))
    }

    fn part(
        &mut self,
        entry: &Entry,
        mut part: Part,
        inputs: &[TensorId],
    ) -> Result<TensorId, Fault> {
        if entry.is_head && part.activation.as_deref() == Some(blocks::SOFTMAX) {
            part.activation = None;
        }
        let unreadable = |error| blocks::fault(&error, &entry.kind, &entry.table);
        let layer = part.layer(self.classes).map_err(unreadable)?;
        let function = part.function().map_err(unreadable)?;
        let added = self
            .builder
            .add_activated(&part.name, layer, function, inputs);
        added.map_err(|refusal| {
            let fault = Fault::new(format!("{}: {refusal}", part.name), &entry.kind.span);
            fault.label(format!("it reads {}", self.read_by(entry)))
        })
    }

    /// Whom an entry reads, for an error.
    fn read_by(&self, entry: &Entry) -> String {
        let name = |source: Source| match source {
            Source::Image => super::definition::IMAGE,
            Source::Layer(number) => &self.definition.layers[number].name,
        };
        let names = entry.inputs.iter();
        let names = names.map(|input| format!("`{}`", name(input.is)));
        names.collect::<Vec<_>>().join(" and ")
    }

    /// The logits of a head.
    fn head(&self, head: &HeadEntry) -> Result<TensorId, Fault> {
        let logits = self.outputs[head.layer].expect("every layer is there");
        let classes = self.classes;
        self.builder
            .are_logits(logits, classes)
            .map_err(|refusal| {
                let name = &self.definition.layers[head.layer].name;
                let fault = Fault::new(format!("the head `{name}`: {refusal}"), &head.at);
                fault.help("a head ends in a Dense of `units = \"classes\"`")
            })?;
        Ok(logits)
    }
}
