"""One explanation: how it is found, beside what, judged by what, and drawn how."""
