//! Reading a model: weights, vocabulary and what is known about them.

use std::path::Path;

use skinflint_kernels::Team;

use crate::checkpoint::Checkpoint;
use crate::error::LoadFault;
use crate::gguf::GgufFile;
use crate::model::Model;
use crate::model::architecture::{Architecture, Naming};
use crate::model::decoder::Decoder;
use crate::model::shape::Shape;
use crate::tokenizer::Tokenizer;

/// A model that has been read.
pub(crate) struct Loaded {
    pub(crate) model: Box<dyn Model>,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) architecture: &'static str,
    pub(crate) parameter_count: u64,
    pub(crate) file_bytes: u64,
    /// Whether the file has no chat template of its own.
    pub(crate) is_base: bool,
}

/// Reads a GGUF file.
pub(crate) fn load(team: &Team, path: &Path) -> Result<Loaded, LoadFault> {
    let mut gguf = GgufFile::open(path)?;
    let architecture = Architecture::of_gguf(gguf.string("general.architecture")?)?;
    let tokenizer = Tokenizer::load(&mut gguf)?;
    let shape = Shape::of_gguf(architecture, &mut gguf, tokenizer.size())?;
    let model = Decoder::load(team, shape, Naming::Gguf, &mut gguf)?;
    Ok(Loaded {
        model: Box::new(model),
        tokenizer,
        architecture: architecture.name(),
        parameter_count: gguf.parameter_count(),
        file_bytes: gguf.file_bytes(),
        is_base: !gguf.has("tokenizer.chat_template"),
    })
}
