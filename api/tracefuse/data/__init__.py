"""Data that comes with the package."""

from tracefuse.api.data import *
