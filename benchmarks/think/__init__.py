# SPDX-License-Identifier: GPL-3.0-or-later
"""./bench think: what planning and simulation promise. Each module in this folder gives rows."""

import importlib
import pkgutil


def run(arguments, report):
    for module in sorted(found.name for found in pkgutil.iter_modules(__path__)):
        try:
            importlib.import_module(f"think.{module}").run(arguments, report)
        except Exception as error:  # a part that breaks is one short row, and the others go on
            report.failed(module, f"{type(error).__name__}: {error}")
