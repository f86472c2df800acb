//! The text -> its tables, with every key, value and place: what TOML says, before anybody asks
//! what it means.

use super::fault::{Fault, Span};
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Longest text that is read, in bytes: the largest network of the box takes a few thousand.
const LONGEST: usize = 1 << 20;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct At<T> {
    pub is: T,
    pub span: Span,
}

/// What TOML knows.
#[derive(Clone, Debug)]
pub enum Is {
    Word(String),
    /// A number or a truth.
    Plain(Value),
    List(Vec<At<Is>>),
    Table(Table),
}

/// Keys, and what stands behind them.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its header.
    pub span: Span,
    entries: BTreeMap<String, (Span, At<Is>)>,
}

impl Is {
    /// The same as JSON.
    pub fn json(&self) -> Value {
        match self {
            Is::Word(word) => Value::String(word.clone()),
            Is::Plain(value) => value.clone(),
            Is::List(items) => items.iter().map(|item| item.is.json()).collect(),
            Is::Table(table) => Value::Object(table.json()),
        }
    }

    fn of(value: &DeValue, span: &Span) -> Result<Is, Fault> {
        let none = |what: &str| Fault::new(what.to_string(), span);
        Ok(match value {
            DeValue::String(word) => Is::Word(word.to_string()),
            DeValue::Boolean(truth) => Is::Plain(Value::Bool(*truth)),
            DeValue::Integer(integer) => {
                let number = i64::from_str_radix(integer.as_str(), integer.radix());
                let number = number.map_err(|_| none("this number is too large"))?;
                Is::Plain(Value::Number(number.into()))
            }
            DeValue::Float(float) => {
                let number: Option<f64> = float.as_str().parse().ok();
                let number = number.and_then(Number::from_f64);
                Is::Plain(Value::Number(
                    number.ok_or_else(|| none("a finite number is needed"))?,
                ))
            }
            DeValue::Datetime(_) => return Err(none("nothing here is a date")),
            DeValue::Array(items) => {
                let items = items.iter().map(At::of);
                Is::List(items.collect::<Result<_, _>>()?)
            }
            DeValue::Table(table) => Is::Table(Table::of(table, span)?),
        })
    }
}

impl At<Is> {
    fn of(value: &Spanned<DeValue>) -> Result<At<Is>, Fault> {
        let span = value.span();
        let is = Is::of(value.get_ref(), &span)?;
        Ok(At { is, span })
    }

    /// What it is, for whoever needed something else.
    pub fn needed(&self, key: &str, what: &str) -> Fault {
        Fault::new(
            format!("`{key}` is {}, {what} is needed", self.told()),
            &self.span,
        )
    }

    fn told(&self) -> String {
        match &self.is {
            Is::Table(_) => "a table".into(),
            Is::List(items) if items.len() > 4 => "a long list".into(),
            _ => self.is.json().to_string(),
        }
    }

    /// A word.
    pub fn word(self, key: &str) -> Result<At<String>, Fault> {
        match self.is {
            Is::Word(is) => Ok(At {
                is,
                span: self.span,
            }),
            _ => Err(self.needed(key, "a word in quotes")),
        }
    }
}

impl Table {
    /// The whole document.
    pub fn parse(text: &str) -> Result<Table, Fault> {
        if text.len() > LONGEST {
            let message = format!("a text has at most {LONGEST} bytes");
            return Err(Fault::new(message, &(0..0)));
        }
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().unwrap_or(0..0);
            Fault::new(format!("this is no TOML: {}", error.message()), &at)
        })?;
        // Of what is missing in the whole, the first line is as good a place as any.
        Table::of(table.get_ref(), &(0..0))
    }

    fn of(table: &DeTable, span: &Span) -> Result<Table, Fault> {
        let entry = |(key, value): (&Spanned<_>, &Spanned<_>)| {
            let name: &std::borrow::Cow<str> = key.get_ref();
            Ok((name.to_string(), (key.span(), At::of(value)?)))
        };
        Ok(Table {
            span: span.clone(),
            entries: table.iter().map(entry).collect::<Result<_, _>>()?,
        })
    }

    /// The value of a key, which is read by that.
    pub fn take(&mut self, key: &str) -> Option<At<Is>> {
        self.entries.remove(key).map(|(_, value)| value)
    }

    /// A word, if the key is there.
    pub fn word(&mut self, key: &str) -> Result<Option<At<String>>, Fault> {
        self.take(key).map(|value| value.word(key)).transpose()
    }

    /// The tables of `[[key]]`.
    pub fn tables(&mut self, key: &str) -> Result<Vec<Table>, Fault> {
        let form = format!("a list of tables, each under [[{key}]],");
        let Some(value) = self.take(key) else {
            return Ok(Vec::new());
        };
        let Is::List(items) = value.is else {
            return Err(value.needed(key, &form));
        };
        let table = |item: At<Is>| match item.is {
            Is::Table(table) => Ok(table),
            _ => Err(item.needed(key, &form)),
        };
        items.into_iter().map(table).collect()
    }

    /// Is it a key of this very table?
    pub fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Where a key stands, of this table or of one in it.
    pub fn key(&self, name: &str) -> Option<&Span> {
        let own = self.entries.get(name).map(|(key, _)| key);
        own.or_else(|| self.inner().find_map(|table| table.key(name)))
    }

    /// Where the value of a key stands.
    pub fn value(&self, name: &str) -> Option<&Span> {
        let own = self.entries.get(name).map(|(_, value)| &value.span);
        own.or_else(|| self.inner().find_map(|table| table.value(name)))
    }

    fn inner(&self) -> impl Iterator<Item = &Table> {
        self.entries
            .values()
            .filter_map(|(_, value)| match &value.is {
                Is::Table(table) => Some(table),
                _ => None,
            })
    }

    /// Its keys, and those of tables in it.
    pub fn keys(&self) -> Vec<&str> {
        let own = self.entries.keys().map(String::as_str);
        own.chain(self.inner().flat_map(Table::keys)).collect()
    }

    pub fn json(&self) -> Map<String, Value> {
        let entries = self.entries.iter();
        let entries = entries.map(|(key, (_, value))| (key.clone(), value.is.json()));
        entries.collect()
    }

    /// Refuses what nobody read; `known` is what there is.
    pub fn finish(&self, what: &str, known: &[&str]) -> Result<(), Fault> {
        let first = self.entries.iter().min_by_key(|(_, (key, _))| key.start);
        let Some((name, (key, _))) = first else {
            return Ok(());
        };
        let fault = Fault::new(format!("{what} has no key `{name}`"), key);
        let fault = fault.help(format!("there are {}", known.join(", ")));
        Err(fault.meant(name, known.iter().copied()))
    }
}
