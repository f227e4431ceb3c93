"""Records as Avro, through fastavro, and where schemas come from: a registry or a folder."""
