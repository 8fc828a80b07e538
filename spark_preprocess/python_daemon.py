"""The process that Spark forks its Python workers from; what it has imported, no worker imports again."""

from pyspark.daemon import manager

from spark_preprocess import publish

PRELOADED = (publish,)

if __name__ == "__main__":
    manager()
