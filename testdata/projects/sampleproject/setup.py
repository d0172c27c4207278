"""Packages the sample project; its dependencies are here, and nowhere else."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="sampleproject",
    version="0.1",
    description="Adds numbers as the Romans did",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    packages=find_packages(exclude=["tests", "tests.*"]),
    package_data={"sampleproject": ["data/*.json"]},
    include_package_data=True,
    scripts=["scripts/sampleproject-languages"],
    entry_points={"console_scripts": ["sampleproject = sampleproject.cli:main"]},
    python_requires=">=3.11",
    install_requires=["roman>=5"],
    extras_require={"dev": ["pytest>=8"]},
)
