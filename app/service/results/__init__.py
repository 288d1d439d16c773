"""What an answer holds, before it becomes JSON, a multipart body, a zip or files in a folder."""
