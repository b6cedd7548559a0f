"""Give `configparser` back two names that Python 3.12 removed and voevent-parse 1.0.3's build script uses.

Python imports a module of this name when it starts. Only `wheel.sh` has this folder on the path.
"""

import configparser

configparser.SafeConfigParser = configparser.ConfigParser
configparser.ConfigParser.readfp = configparser.ConfigParser.read_file
