//! What sets the seven classes apart, as a table of facial parameters.

use super::random::Random;

/// Declares [`Expression`] and, field by field, the way between two of them.
macro_rules! expression {
    ($($(#[$doc:meta])* $field:ident,)+) => {
        /// What muscles do to a face, in face units or as a strength from 0 to 1.
        #[derive(Clone, Copy)]
        pub struct Expression { $($(#[$doc])* pub $field: f32,)+ }

        impl Expression {
            /// Somewhere between `mild` and `strong`, each field about as far along as the others.
            fn between(mild: &Self, strong: &Self, random: &mut Random) -> Self {
                let strength = random.between(0.5, 1.0);
                Self { $($field: {
                    let at = strength + random.around_zero(0.2);
                    mild.$field + (strong.$field - mild.$field) * at
                },)+ }
            }
        }
    };
}

expression! {
    brow_raise,
    /// Inner ends pulled down (positive, a scowl) or up (negative, grief).
    brow_slant,
    brow_arch,
    /// Inner ends drawn together.
    brow_pinch,
    /// Lines between the brows.
    furrow,
    /// Lines across the forehead.
    forehead,
    /// How far the lids' edges stand from the eye's middle.
    lid_upper,
    lid_lower,
    /// Outer corners up (positive) or down.
    eye_slant,
    /// Both corners down: the crescent of a laughing eye.
    eye_arch,
    iris,
    /// Cheeks pushed up under the eyes.
    cheek,
    /// Lines across the bridge of the nose.
    wrinkle,
    /// From the nose's wings to the mouth's corners.
    fold,
    mouth_width,
    /// Corners up (positive) or down.
    smile,
    /// The opening's reach above and below the line between the corners.
    lip_lift,
    lip_drop,
    /// The opening's form, from an O to a rounded box.
    boxy,
    /// One side of the mouth raised.
    sneer,
    /// How much of the opening the teeth fill, from above; all of it is clenched.
    teeth,
    tongue,
    tear,
}

impl Expression {
    /// An instance of class `label`.
    pub fn of(label: usize, random: &mut Random) -> Self {
        let [mild, strong] = &EXPRESSIONS[label];
        Self::between(mild, strong, random)
    }
}

const REST: Expression = Expression {
    brow_raise: 0.0,
    brow_slant: 0.0,
    brow_arch: 0.05,
    brow_pinch: 0.0,
    furrow: 0.0,
    forehead: 0.0,
    lid_upper: 0.12,
    lid_lower: 0.08,
    eye_slant: 0.0,
    eye_arch: 0.0,
    iris: 0.105,
    cheek: 0.0,
    wrinkle: 0.0,
    fold: 0.0,
    mouth_width: 0.33,
    smile: 0.0,
    lip_lift: 0.02,
    lip_drop: 0.02,
    boxy: 0.3,
    sneer: 0.0,
    teeth: 0.0,
    tongue: 0.0,
    tear: 0.0,
};

/// The mild and the strong end of each class, in the order of its numbers.
const EXPRESSIONS: [[Expression; 2]; 7] = [ANGRY, DISGUST, FEAR, HAPPY, SAD, SURPRISE, NEUTRAL];

const ANGRY: [Expression; 2] = [
    Expression {
        brow_raise: -0.11,
        brow_slant: 0.15,
        brow_arch: 0.0,
        brow_pinch: 0.07,
        furrow: 0.6,
        lid_upper: 0.08,
        lid_lower: 0.06,
        eye_slant: 0.04,
        mouth_width: 0.37,
        smile: -0.09,
        lip_lift: 0.06,
        lip_drop: 0.07,
        boxy: 0.9,
        teeth: 1.0,
        fold: 0.2,
        ..REST
    },
    Expression {
        brow_raise: -0.15,
        brow_slant: 0.21,
        brow_arch: -0.02,
        brow_pinch: 0.11,
        furrow: 1.0,
        lid_upper: 0.10,
        lid_lower: 0.07,
        eye_slant: 0.06,
        mouth_width: 0.42,
        smile: -0.11,
        lip_lift: 0.12,
        lip_drop: 0.15,
        boxy: 1.0,
        teeth: 1.0,
        fold: 0.5,
        ..REST
    },
];

const DISGUST: [Expression; 2] = [
    Expression {
        brow_raise: -0.10,
        brow_slant: 0.06,
        brow_arch: -0.03,
        brow_pinch: 0.05,
        furrow: 0.3,
        lid_upper: 0.045,
        lid_lower: 0.03,
        cheek: 0.5,
        wrinkle: 0.8,
        fold: 0.8,
        mouth_width: 0.30,
        smile: -0.10,
        lip_lift: 0.06,
        lip_drop: 0.03,
        sneer: 0.05,
        teeth: 0.4,
        tongue: 0.6,
        ..REST
    },
    Expression {
        brow_raise: -0.14,
        brow_slant: 0.09,
        brow_arch: -0.04,
        brow_pinch: 0.08,
        furrow: 0.5,
        lid_upper: 0.03,
        lid_lower: 0.02,
        cheek: 0.8,
        wrinkle: 1.0,
        fold: 1.0,
        mouth_width: 0.34,
        smile: -0.14,
        lip_lift: 0.10,
        lip_drop: 0.08,
        sneer: 0.08,
        teeth: 0.4,
        tongue: 1.0,
        ..REST
    },
];

const FEAR: [Expression; 2] = [
    Expression {
        brow_raise: 0.10,
        brow_slant: -0.10,
        brow_arch: 0.0,
        brow_pinch: 0.05,
        forehead: 0.4,
        lid_upper: 0.19,
        lid_lower: 0.13,
        iris: 0.08,
        mouth_width: 0.42,
        smile: -0.06,
        lip_lift: 0.06,
        lip_drop: 0.10,
        boxy: 0.8,
        teeth: 0.25,
        ..REST
    },
    Expression {
        brow_raise: 0.17,
        brow_slant: -0.14,
        brow_arch: 0.0,
        brow_pinch: 0.08,
        forehead: 0.8,
        lid_upper: 0.22,
        lid_lower: 0.16,
        iris: 0.065,
        mouth_width: 0.46,
        smile: -0.10,
        lip_lift: 0.08,
        lip_drop: 0.14,
        boxy: 0.9,
        teeth: 0.3,
        ..REST
    },
];

const HAPPY: [Expression; 2] = [
    Expression {
        brow_raise: 0.04,
        brow_arch: 0.08,
        lid_upper: 0.06,
        lid_lower: 0.045,
        eye_arch: 0.06,
        cheek: 0.6,
        fold: 0.2,
        mouth_width: 0.43,
        smile: 0.18,
        lip_lift: 0.02,
        lip_drop: 0.06,
        boxy: 0.2,
        teeth: 0.8,
        ..REST
    },
    Expression {
        brow_raise: 0.08,
        brow_arch: 0.11,
        lid_upper: 0.045,
        lid_lower: 0.03,
        eye_arch: 0.10,
        cheek: 1.0,
        fold: 0.35,
        mouth_width: 0.50,
        smile: 0.20,
        lip_lift: 0.02,
        lip_drop: 0.27,
        boxy: 0.2,
        teeth: 0.45,
        ..REST
    },
];

const SAD: [Expression; 2] = [
    Expression {
        brow_raise: 0.03,
        brow_slant: -0.16,
        brow_arch: -0.02,
        brow_pinch: 0.03,
        lid_upper: 0.05,
        lid_lower: 0.07,
        eye_slant: -0.05,
        mouth_width: 0.28,
        smile: -0.14,
        lip_lift: 0.025,
        lip_drop: 0.025,
        ..REST
    },
    Expression {
        brow_raise: 0.06,
        brow_slant: -0.20,
        brow_arch: -0.04,
        brow_pinch: 0.06,
        lid_upper: 0.045,
        lid_lower: 0.07,
        eye_slant: -0.08,
        mouth_width: 0.33,
        smile: -0.19,
        lip_lift: 0.02,
        lip_drop: 0.03,
        tear: 1.0,
        ..REST
    },
];

const SURPRISE: [Expression; 2] = [
    Expression {
        brow_raise: 0.15,
        brow_arch: 0.12,
        forehead: 0.4,
        lid_upper: 0.17,
        lid_lower: 0.15,
        iris: 0.09,
        mouth_width: 0.17,
        lip_lift: 0.12,
        lip_drop: 0.16,
        boxy: 0.0,
        ..REST
    },
    Expression {
        brow_raise: 0.21,
        brow_arch: 0.15,
        forehead: 0.8,
        lid_upper: 0.21,
        lid_lower: 0.19,
        iris: 0.08,
        mouth_width: 0.23,
        lip_lift: 0.18,
        lip_drop: 0.28,
        boxy: 0.0,
        ..REST
    },
];

const NEUTRAL: [Expression; 2] = [
    Expression {
        brow_raise: -0.02,
        mouth_width: 0.30,
        smile: -0.015,
        ..REST
    },
    Expression {
        brow_raise: 0.03,
        mouth_width: 0.37,
        smile: 0.015,
        ..REST
    },
];
