"""Public names without a Case, each with the reason."""

WITHOUT_CASE: dict[str, str] = {
    "conversion.Correlation": "the interface; its subclasses have cases",
    "conversion.realisation_caveats": "numbers to sentences, outside jit",
    "environments.galaxy.RandomField": "the interface; its subclasses have cases",
    "environments.galaxy.electron_density": "name to model, outside jit",
    "environments.galaxy.fiducial_inner_b_z_muG": "a Python float, for configuration",
    "environments.galaxy.field_names": "a list of names",
    "environments.galaxy.inner_options": "a list of names",
    "environments.galaxy.jf12_lower_limits": "rows of a bundled table",
    "environments.galaxy.jf12_prior_widths": "rows of a bundled table",
    "environments.galaxy.ne2001_sightline": "name to table, outside jit",
    "parameters.Explained": "a row of a table of text",
    "parameters.Prior": "the interface; its subclasses have cases",
    "parameters.canonical_path": "text to text",
    "parameters.latex_label": "text to text",
    "parameters.leaf_paths": "a list of names",
    "parameters.parse_prior": "configuration to a prior, outside jit",
    "parameters.path_exists": "a question about names",
    "parameters.unit_of": "text to text",
}
