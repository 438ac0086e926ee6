"""wheel.py DIR: writes hello-1.0-py3-none-any.whl, a package with a program, into DIR."""
import os
import sys
import zipfile

INFO = "hello-1.0.dist-info/"
FILES = {
    "hello.py": 'word = "hello"\n\n\ndef main():\n    print("hello from a package")\n',
    INFO + "METADATA": "Metadata-Version: 2.1\nName: hello\nVersion: 1.0\n",
    INFO + "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    INFO + "entry_points.txt": "[console_scripts]\nhello = hello:main\n",
}
FILES[INFO + "RECORD"] = "".join(name + ",,\n" for name in FILES) + INFO + "RECORD,,\n"

os.makedirs(sys.argv[1], exist_ok=True)
with zipfile.ZipFile(os.path.join(sys.argv[1], "hello-1.0-py3-none-any.whl"), "w") as wheel:
    for name, text in FILES.items():
        wheel.writestr(name, text)
