//! Colours and letters: what a style looks like on light and on dark paper.

use super::content::Family;

/// How a mark looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Style {
    Paper,
    /// The frame of a block, and how deep it lies.
    Frame(u8),
    Box(Family),
    Head,
    /// The line above a box's shapes.
    Rule(Family),
    Edge,
    Tip,
    Title,
    About,
    FrameName,
    Name,
    Class(Family),
    Detail,
    HeadName,
    HeadDetail,
}

/// A colour on light and on dark paper, 0xRRGGBB.
pub type Colour = [u32; 2];

/// What a style draws.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Look {
    pub fill: Option<Colour>,
    pub stroke: Option<Colour>,
    /// Of the stroke.
    pub width: f32,
    /// Of letters; 0 for what is none.
    pub size: f32,
    pub is_bold: bool,
}

const PAPER: Colour = [0xfcfbf8, 0x12161c];
const INK: Colour = [0x1c2430, 0xeef2f7];
const MUTED: Colour = [0x5d6878, 0xa3adba];
const LINE: Colour = [0x98a2af, 0x7d8998];

/// Fill, border and letters of a family.
fn colours(family: Family) -> [Colour; 3] {
    match family {
        Family::Input | Family::Other => [
            [0xeceef1, 0x232830],
            [0x8a93a0, 0x7d8794],
            [0x566173, 0xb6bfca],
        ],
        Family::Convolution => [
            [0xe4eefb, 0x16273f],
            [0x3f78c4, 0x5b97e6],
            [0x2a5fa8, 0x8bb8f2],
        ],
        Family::Pooling => [
            [0xfde6d3, 0x3d2513],
            [0xd9772b, 0xee9350],
            [0xa9530f, 0xf4b07f],
        ],
        Family::Dense => [
            [0xece6fa, 0x281f42],
            [0x7c5fc4, 0xa188ea],
            [0x6244b0, 0xc0aef3],
        ],
        Family::Merge => [
            [0xe5f3d6, 0x213412],
            [0x5f9a2c, 0x86c24f],
            [0x447019, 0xa9d97c],
        ],
        Family::Shape => [
            [0xdcf2ee, 0x11312c],
            [0x2f9383, 0x45b3a1],
            [0x1d7164, 0x7fd0c2],
        ],
        Family::Normalization => [
            [0xfaf0cc, 0x36300f],
            [0xb8952a, 0xd6b84a],
            [0x826508, 0xe5cd78],
        ],
        Family::Activation => [
            [0xfbe4ec, 0x3c1a28],
            [0xc4517d, 0xe27ba4],
            [0xa53562, 0xeda3c1],
        ],
    }
}

fn filled(fill: Colour) -> Look {
    Look {
        fill: Some(fill),
        ..Look::default()
    }
}

fn bordered(fill: Colour, stroke: Colour, width: f32) -> Look {
    Look {
        stroke: Some(stroke),
        width,
        ..filled(fill)
    }
}

fn letters(fill: Colour, size: f32, is_bold: bool) -> Look {
    Look {
        size,
        is_bold,
        ..filled(fill)
    }
}

impl Style {
    pub fn look(self) -> Look {
        let line = |stroke, width| Look {
            stroke: Some(stroke),
            width,
            ..Look::default()
        };
        match self {
            Style::Paper => filled(PAPER),
            Style::Frame(depth) => {
                let fills = [
                    [0xf3f2ed, 0x1a1f27],
                    [0xe9e7e0, 0x222932],
                    [0xdfdcd3, 0x2a323d],
                ];
                let fill = fills[usize::from(depth).min(fills.len() - 1)];
                bordered(fill, [0xd3cfc4, 0x353e4a], 1.0)
            }
            Style::Box(family) => {
                let [fill, stroke, _] = colours(family);
                bordered(fill, stroke, 1.3)
            }
            Style::Head => filled(INK),
            Style::Rule(family) => {
                let [_, stroke, _] = colours(family);
                line(stroke, 0.6)
            }
            Style::Edge => line(LINE, 1.5),
            Style::Tip => filled(LINE),
            Style::Title => letters(INK, 21.0, true),
            Style::About => letters(MUTED, 12.5, false),
            Style::FrameName => letters(MUTED, 12.0, true),
            Style::Name => letters(INK, 13.0, true),
            Style::Class(family) => {
                let [_, _, ink] = colours(family);
                letters(ink, 11.0, false)
            }
            Style::Detail => letters(MUTED, 11.0, false),
            Style::HeadName => letters(PAPER, 12.5, true),
            Style::HeadDetail => letters([0xc4cad3, 0x454f5d], 11.0, false),
        }
    }
}
