"""Media types that are read or sent."""

BYTES = "application/octet-stream"
FORM = "multipart/form-data"
JSON = "application/json"
PNG = "image/png"
PROBLEM = "application/problem+json"
ZIP = "application/zip"
