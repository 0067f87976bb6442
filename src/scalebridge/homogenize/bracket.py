"""The guaranteed bracket of conduction: potential energy above, divergence-free flux below."""

from __future__ import annotations
