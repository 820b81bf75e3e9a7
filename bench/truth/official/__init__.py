"""Official files of NAS-Bench-201, NATS-Bench and NASLib, imported once into the canonical table: `importing`.

What can execute code when it is opened is opened only on the user's word, or when it is the released file by its hash;
in a child process, which imports nothing but what is needed to read; and by an unpickler that runs nothing
(`unpickling`).
"""
