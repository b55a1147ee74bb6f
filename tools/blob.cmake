# vyre_blob(target out.vyb in.vyre [vyrec options...]): compiles a set with our own compiler when `target` is built.
function(vyre_blob target out in)
  set(file ${CMAKE_CURRENT_BINARY_DIR}/${out})
  add_custom_command(OUTPUT ${file} DEPENDS vyrec ${CMAKE_CURRENT_SOURCE_DIR}/${in}
    COMMAND vyrec ${CMAKE_CURRENT_SOURCE_DIR}/${in} -o ${file} ${ARGN})
  add_custom_target(${target}-${out} DEPENDS ${file})
  add_dependencies(${target} ${target}-${out})
endfunction()
