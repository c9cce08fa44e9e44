//! Reading a model: weights, vocabulary, template and what is known about them.

use std::path::Path;

use crate::checkpoint::{Checkpoint, Safetensors};
use crate::error::LoadFault;
use crate::gguf::GgufFile;
use crate::model::architecture::{Architecture, Naming};
use crate::model::decoder::Decoder;
use crate::model::shape::Shape;
use crate::model::{Compute, Model};
use crate::template::Template;
use crate::tokenizer::Tokenizer;
use crate::tokenizer::settings::CheckpointSettings;

/// A model that has been read.
pub(crate) struct Loaded {
    pub(crate) model: Box<dyn Model>,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) template: Template,
    pub(crate) architecture: &'static str,
    pub(crate) parameter_count: u64,
    pub(crate) file_bytes: u64,
}

/// Reads a GGUF file, or a folder with safetensors, `config.json` and `tokenizer.json`.
pub(crate) fn load(compute: Compute<'_>, path: &Path) -> Result<Loaded, LoadFault> {
    if path.is_dir() {
        load_folder(compute, path)
    } else {
        load_gguf(compute, path)
    }
}

fn load_gguf(compute: Compute<'_>, path: &Path) -> Result<Loaded, LoadFault> {
    let mut gguf = GgufFile::open(path)?;
    let architecture = Architecture::of_gguf(gguf.string("general.architecture")?)?;
    let tokenizer = Tokenizer::load(&mut gguf)?;
    let template = Template::from_gguf(&gguf)?;
    let shape = Shape::of_gguf(architecture, &mut gguf, tokenizer.size())?;
    decoder(
        compute,
        shape,
        Naming::Gguf,
        &mut gguf,
        (tokenizer, template),
    )
}

fn load_folder(compute: Compute<'_>, folder: &Path) -> Result<Loaded, LoadFault> {
    let shape = Shape::of_config(&folder.join("config.json"))?;
    let settings = CheckpointSettings::read(folder)?;
    let tokenizer = Tokenizer::from_json_file(&folder.join("tokenizer.json"), &settings)?;
    let template = Template::from_settings(&settings)?;
    let mut checkpoint = Safetensors::open(folder)?;
    let words = (tokenizer, template);
    decoder(compute, shape, Naming::HuggingFace, &mut checkpoint, words)
}

fn decoder(
    compute: Compute<'_>,
    shape: Shape,
    naming: Naming,
    checkpoint: &mut dyn Checkpoint,
    (tokenizer, template): (Tokenizer, Template),
) -> Result<Loaded, LoadFault> {
    tokenizer.check_rows(shape.vocabulary)?;
    let architecture = shape.architecture.name();
    Ok(Loaded {
        model: Box::new(Decoder::load(compute, shape, naming, checkpoint)?),
        tokenizer,
        template,
        architecture,
        parameter_count: checkpoint.parameter_count(),
        file_bytes: checkpoint.file_bytes(),
    })
}

#[cfg(test)]
mod tests;
