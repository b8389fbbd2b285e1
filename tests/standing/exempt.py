"""Public names without a Case, each with the reason."""

WITHOUT_CASE: dict[str, str] = {
    "environments.galaxy.fiducial_inner_b_z_muG": "a Python float, for configuration",
    "environments.galaxy.field_names": "a list of names",
    "environments.galaxy.inner_options": "a list of names",
    "environments.galaxy.jf12_lower_limits": "rows of a bundled table",
    "environments.galaxy.jf12_prior_widths": "rows of a bundled table",
}
