"""Media types that are read or sent."""

BYTES = "application/octet-stream"
EVENTS = "text/event-stream"
FORM = "multipart/form-data"
JSON = "application/json"
PNG = "image/png"
PROBLEM = "application/problem+json"
ZIP = "application/zip"
