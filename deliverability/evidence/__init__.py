"""The model: frozen values, standard library only, no input and no output.

Everything that is observed, derived or concluded is one of these types.  Layers above
pass them along; nothing here knows where they came from or how they will be shown.
"""
