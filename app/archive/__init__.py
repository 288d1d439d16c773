"""A DICOMweb archive that the operator names: one image fetched by WADO-RS, objects stored by STOW-RS (DICOM PS3.18).

The address is the operator's alone. What a client sends reaches it as three UIDs, digits and dots, and nothing else.
What comes back is bounded in bytes and in time, and stays bytes here: files are parsed apart, as uploads are.
dicomweb-client reads all that comes, and parses it in its own process: so it does not serve here, but in the tests.
"""
