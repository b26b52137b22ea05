# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks answers against an OpenAPI description of Prometheus' API."""

import os

FILE = os.path.join("httpapi", "openapi_3.1_golden.yaml")


class Missing(Exception):
    """Why nothing can be checked."""


class Description:
    def __init__(self):
        folder = os.environ.get("VHERD_CONFORMANCE")
        path = os.path.join(folder, FILE) if folder else None
        if not path or not os.path.exists(path):
            raise Missing(f"no {FILE} in VHERD_CONFORMANCE")
        try:
            import jsonschema
            import yaml
        except ImportError as error:
            raise Missing(str(error)) from error
        with open(path, encoding="utf-8") as file:
            self.text = yaml.safe_load(file)
        self.jsonschema = jsonschema

    def schema(self, path, method, status):
        """The schema of an answer; `path` as the description has it, without /api/v1."""
        responses = self.text["paths"][path][method]["responses"]
        response = responses.get(str(status), responses.get("default"))
        return {**response["content"]["application/json"]["schema"],
                "components": self.text["components"]}

    def check(self, path, method, status, answer):
        """Raises jsonschema.ValidationError."""
        self.jsonschema.validate(answer, self.schema(path, method, status),
                                 cls=self.jsonschema.Draft202012Validator)
