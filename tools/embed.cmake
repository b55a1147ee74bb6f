# Turns a file into a C array: cmake -DIN=file -DOUT=file.c -DSYMBOL=name -P embed.cmake
file(READ "${IN}" hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
get_filename_component(name "${IN}" NAME)
file(WRITE "${OUT}" "/* made from ${name} */\n#include <stddef.h>\nextern const char ${SYMBOL}[];\nextern const size_t ${SYMBOL}_bytes;\nconst char ${SYMBOL}[] = {${bytes}0};\nconst size_t ${SYMBOL}_bytes = sizeof ${SYMBOL} - 1;\n")
