"""Readers of large formats (DICOM, PDF, HEIC), each file in a process apart that can be killed.

Their libraries run for as long, and take as much memory, as a hostile file makes them, and some of them are in C. They
may quote a patient's name in what they print. So they run where time and memory are bounded by the kernel, where a
crash takes nothing along, and where nobody hears what they print; bytes go in, pixels and sentences of ours come out.

`process` is the side of who asks, `__main__` the other one.
"""
