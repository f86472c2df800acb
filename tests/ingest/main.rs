//! Sources become data sets: FER-2013's CSV, votes, folders of pictures, arrays. Made here from sample faces, as
//! a user would have them, and broken in every way that files are.

#[path = "../common/run.rs"]
mod run;

mod broken;
mod classes;
mod csv;
mod folders;
mod sources;
