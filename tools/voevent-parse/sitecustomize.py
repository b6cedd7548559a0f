"""Give `configparser` the two names that Python 3.12 removed: the build script of voevent-parse 1.0.3 uses them.

Python imports a module of this name at its start. Only `wheel.sh` puts this folder on the path, for that one build.
"""

import configparser

configparser.SafeConfigParser = configparser.ConfigParser
configparser.ConfigParser.readfp = configparser.ConfigParser.read_file
