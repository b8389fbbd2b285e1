"""Public names without a Case, each with the reason."""

WITHOUT_CASE: dict[str, str] = {}
