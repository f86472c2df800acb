//! Folders of pictures by class: `train/CLASS/...` beside `test/CLASS/...` (or val, valid), or one folder with the
//! classes in it. Classes are numbered by their names, byte by byte, as Keras and PyTorch do. Paths in, labelled
//! pixels out.

use super::sink::{Outcome, Row, Side, Sink};
use super::{Error, Event, Fault, Options, Private, Source};
use crate::data::{Label, classes};
use crate::files;
use crate::pictures::{self, Preprocessing};
use rayon::prelude::*;
use std::fs::{self, DirEntry};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Pictures that are decoded at once.
const CHUNK: usize = 512;

/// Threads that fetch files: small ones wait for the disk more than for a core, and as many decoders would take
/// as many pictures' memory.
const READERS: usize = 16;

/// Names of the folder to train on, and of those to validate on, the first of which wins.
const TRAIN: [&str; 2] = ["train", "training"];
const TEST: [&str; 5] = ["val", "valid", "validation", "test", "testing"];

/// The pictures of a source, listed.
pub(super) struct Folders {
    pub source: Source,
    /// None for those of the third part.
    pictures: Vec<(PathBuf, Option<Side>, u32)>,
    /// Files among them that are no pictures by their names.
    others: Vec<PathBuf>,
    wanted: Preprocessing,
}

impl Folders {
    /// Lists the pictures of a folder.
    ///
    /// # Errors
    /// If there are no classes, or the test part has some that the training part lacks.
    pub fn list(root: &Path, options: &Options) -> Result<Folders, Error> {
        let parts = folders_in(root)?;
        let named = |names: &[&str]| {
            let find = |name: &&str| {
                let is = |folder: &&PathBuf| file_name(folder).eq_ignore_ascii_case(name);
                parts.iter().find(is).cloned()
            };
            names.iter().filter_map(find).collect::<Vec<PathBuf>>()
        };
        let (train, test) = (named(&TRAIN), named(&TEST));
        let mut listing = Listing::of(train.first().map_or(root, |folder| folder))?;
        let mut has_test = false;
        if let [train, ..] = &train[..] {
            let mut sides = test.iter();
            if let Some(test) = sides.next() {
                listing.add(test, train, Some(Side::Test))?;
                has_test = true;
            }
            let private = match options.private {
                Private::LeftOut => None,
                Private::Train => Some(Side::Train),
                Private::Test => Some(Side::Test),
            };
            for third in sides {
                listing.add(third, train, private)?;
            }
        }
        Ok(Folders {
            source: Source {
                path: root.into(),
                class_names: listing.class_names,
                has_test,
            },
            pictures: listing.pictures,
            others: listing.others,
            wanted: options.wanted.preprocessing(),
        })
    }

    /// Reads all pictures.
    ///
    /// # Errors
    /// What the sink says.
    pub fn read(self, sink: &mut Sink, observe: &mut dyn FnMut(Event)) -> Result<(), Error> {
        sink.skip(self.others);
        let total = self.pictures.len() as u64;
        let mut done = 0;
        let readers = rayon::ThreadPoolBuilder::new().num_threads(READERS).build();
        let readers =
            readers.map_err(|why| files::Error::read(&self.source.path, io::Error::other(why)))?;
        for chunk in self.pictures.chunks(CHUNK) {
            let read = |(path, side, class): &(PathBuf, Option<Side>, u32)| match side {
                Some(side) => outcome(path, *side, *class, &self.wanted),
                None => Outcome::Private,
            };
            readers.install(|| chunk.par_iter().for_each(|(path, ..)| fetch(path)));
            sink.take(chunk.par_iter().map(read).collect(), observe)?;
            done += chunk.len() as u64;
            observe(Event::Progress { done, total });
        }
        Ok(())
    }
}

/// Brings a small file near, so that those who decode do not wait: what cannot be read is told then.
fn fetch(path: &Path) {
    const SMALL: u64 = 256 << 10;
    if let Ok(file) = fs::File::open(path) {
        drop(io::copy(&mut file.take(SMALL), &mut io::sink()));
    }
}

fn outcome(path: &Path, side: Side, class: u32, wanted: &Preprocessing) -> Outcome {
    match pictures::read(path, wanted) {
        Ok(picture) => Outcome::Row(Row {
            side,
            pixels: picture.pixels,
            label: Label::Class(class),
            resized: picture.changed.is_some(),
            animated: picture.animated,
        }),
        Err(error) => Outcome::Fault(Fault::Picture(error)),
    }
}

struct Listing {
    class_names: Vec<String>,
    pictures: Vec<(PathBuf, Option<Side>, u32)>,
    others: Vec<PathBuf>,
}

impl Listing {
    /// The classes of a folder, and its pictures to train on.
    fn of(root: &Path) -> Result<Listing, Error> {
        let folders = folders_in(root)?;
        let class_names: Vec<String> = folders
            .iter()
            .map(|f| class_name(f))
            .collect::<Result<_, _>>()?;
        match &class_names[..] {
            [] => return Err(Error::NoClasses(root.into())),
            [class] => {
                let (path, class) = (root.into(), class.clone());
                return Err(Error::OneClass { path, class });
            }
            _ => {}
        }
        classes::check(&class_names).map_err(|why| Error::ClassName {
            path: root.into(),
            why,
        })?;
        let mut listing = Listing {
            class_names,
            pictures: Vec::new(),
            others: Vec::new(),
        };
        for (class, folder) in folders.iter().enumerate() {
            listing.add_class(folder, Some(Side::Train), class as u32)?;
        }
        Ok(listing)
    }

    /// The pictures of another part, whose classes are some of those to train on.
    fn add(&mut self, part: &Path, train: &Path, side: Option<Side>) -> Result<(), Error> {
        for folder in folders_in(part)? {
            let name = class_name(&folder)?;
            let class = self.class_names.iter().position(|known| *known == name);
            let class = class.ok_or_else(|| Error::OtherClass {
                test: part.into(),
                train: train.into(),
                class: name,
            })?;
            self.add_class(&folder, side, class as u32)?;
        }
        Ok(())
    }

    fn add_class(&mut self, folder: &Path, side: Option<Side>, class: u32) -> Result<(), Error> {
        let some = match pictures::list(folder) {
            Ok(some) => some,
            Err(pictures::Error::NoPictures { .. }) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let others = files_in(folder)?;
        let others = others
            .into_iter()
            .filter(|path| some.binary_search(path).is_err());
        self.others.extend(others);
        self.pictures
            .extend(some.into_iter().map(|path| (path, side, class)));
        for deeper in folders_in(folder)? {
            // A link could lead in a circle.
            if !deeper.is_symlink() {
                self.add_class(&deeper, side, class)?;
            }
        }
        Ok(())
    }
}

/// The folders in a folder, by name, byte by byte, without those that begin with a dot.
fn folders_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let is_folder = |entry: &DirEntry| match entry.file_type() {
        Ok(kind) if !kind.is_symlink() => kind.is_dir(),
        _ => entry.path().is_dir(),
    };
    entries(folder, is_folder)
}

/// The files in a folder, without those that begin with a dot and what Windows keeps beside pictures.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let is_file = |entry: &DirEntry| match entry.file_type() {
        Ok(kind) if !kind.is_symlink() => kind.is_file(),
        _ => entry.path().is_file(),
    };
    let mut found = entries(folder, is_file)?;
    found.retain(|path| {
        !["Thumbs.db", "desktop.ini"]
            .iter()
            .any(|name| path.ends_with(name))
    });
    Ok(found)
}

/// The entries of a folder of one kind, sorted, without those that begin with a dot. What the folder itself knows of
/// them is not asked of each: on a slow disk that takes as long as reading them.
fn entries(folder: &Path, is_wanted: impl Fn(&DirEntry) -> bool) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| files::Error::read(folder, source);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        if is_wanted(&entry) && !file_name(&path).starts_with('.') {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn class_name(folder: &Path) -> Result<String, Error> {
    let name = folder.file_name().and_then(|name| name.to_str());
    name.map(String::from).ok_or_else(|| Error::ClassName {
        path: folder.into(),
        why: "its name is no UTF-8".into(),
    })
}
