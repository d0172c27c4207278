//! The flags of `pybundle build`, which take precedence over the keys of every target that is built.

use clap::Args;

use crate::options::{
    CommonOptions, DeployOptions, DocumentOptions, ImageOptions, ImagePlatform, ImagePython, InvalidOption,
    LambdaOptions, LayerOptions, PublishOptions, RegistryAccessOptions, RemoteCacheOptions, SelectionOptions,
    TargetKind, python_version,
};
use crate::platform::{Architecture, PythonVersion};
use crate::registry::ImageReference;

/// Flags for all targets of a run.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct TargetFlags {
    /// Name the image: HOST/REPOSITORY:TAG, if only one is built
    #[arg(short, long, value_name = "REF")]
    pub(crate) tag: Vec<ImageReference>,
    /// Build for this Python or runtime, such as 3.13 [default: the project's]
    #[arg(long, alias = "python", value_name = "VERSION", help_heading = "Target", value_parser = python_version)]
    runtime: Option<PythonVersion>,
    /// Build for this architecture: x86_64 or arm64
    #[arg(long, value_name = "ARCH", help_heading = "Target", conflicts_with = "platform")]
    arch: Option<Architecture>,
    /// Build for these platforms, separated by commas; only one for functions
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',', help_heading = "Target")]
    platform: Vec<ImagePlatform>,
    #[command(flatten)]
    documents: DocumentOptions,
    #[command(flatten)]
    shared: RemoteCacheOptions,
    #[command(flatten)]
    registry: RegistryAccessOptions,
    #[command(flatten)]
    pub(crate) common: CommonOptions,
    /// Flags of `pybundle deploy` alone.
    #[arg(skip)]
    pub(crate) deploy: DeployOptions,
}

impl TargetFlags {
    /// Returns the flags for targets of which only those that every kind has are given.
    pub(crate) fn of_common(common: CommonOptions) -> Self {
        Self { common, ..Self::default() }
    }

    /// Checks the flags that only some kinds of targets have; `targets` are those that are built.
    ///
    /// # Errors
    /// One tag for several images or for none, or several platforms for a function.
    pub(crate) fn check<'a>(
        &self,
        targets: impl Iterator<Item = (&'a str, TargetKind)> + Clone,
    ) -> Result<(), InvalidOption> {
        let images = targets.clone().filter(|(_, kind)| *kind == TargetKind::Image).map(|(name, _)| name.to_owned());
        let images: Vec<String> = images.collect();
        if !self.tag.is_empty() && images.len() != 1 {
            return Err(InvalidOption::TagOfSeveral(images));
        }
        let mut functions = targets.filter(|(_, kind)| *kind != TargetKind::Image);
        match functions.next().filter(|_| self.platform.len() > 1) {
            Some((name, _)) => Err(InvalidOption::SeveralPlatforms(name.to_owned())),
            None => Ok(()),
        }
    }

    /// Returns the flags for a function.
    pub(crate) fn lambda(&self) -> LambdaOptions {
        let mut options = LambdaOptions { common: self.common.clone(), ..LambdaOptions::default() };
        options.function.zip.runtime = self.runtime.map(|version| format!("python{version}"));
        options.function.zip.arch = self.arch.or_else(|| self.platform.first().map(|ImagePlatform(first)| *first));
        options.package.documents = self.documents.clone();
        options.shared = self.shared.clone();
        options.deploy = self.deploy.clone();
        options
    }

    /// Returns the flags for a layer. What is selected is selected for functions and images.
    pub(crate) fn layer(&self) -> LayerOptions {
        let LambdaOptions { function, mut common, package, shared, deploy, run: _ } = self.lambda();
        let SelectionOptions { lock, locked, frozen, package: member, .. } = common.selection;
        common.selection = SelectionOptions { lock, locked, frozen, package: member, ..SelectionOptions::default() };
        let publish = PublishOptions { region: deploy.region, s3_bucket: deploy.s3_bucket, layer_name: None };
        LayerOptions { zip: function.zip, common, package, shared, publish, ..LayerOptions::default() }
    }

    /// Returns the flags for an image.
    pub(crate) fn image(&self) -> ImageOptions {
        let (common, registry, shared) = (self.common.clone(), self.registry.clone(), self.shared.clone());
        let mut options = ImageOptions { common, registry, shared, ..ImageOptions::default() };
        options.image.tag.clone_from(&self.tag);
        options.image.python = self.runtime.map(ImagePython::Version);
        options.image.platform = self.arch.map(ImagePlatform).into_iter().chain(self.platform.clone()).collect();
        options.output.documents = self.documents.clone();
        options.deploy = self.deploy.clone();
        options
    }
}
