"""One explanation as a report for people, to read on a screen (HTML) or to file (PDF): the same words in both."""
