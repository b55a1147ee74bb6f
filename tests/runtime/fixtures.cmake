# What the runtime tests share: the reference kernel as an object and as an ELF image, and the builder of test blobs.
set(image ${CMAKE_CURRENT_BINARY_DIR}/reference_kernel.so)
set(here ${CMAKE_CURRENT_SOURCE_DIR}/runtime)
add_custom_command(OUTPUT ${image}
  DEPENDS ${here}/reference_kernel.c ${here}/reference_kernel.h ${here}/reference_kernel.ld
    ${CMAKE_SOURCE_DIR}/runtime/abi/ring.h ${CMAKE_SOURCE_DIR}/runtime/abi/cpu.h
  COMMAND ${CMAKE_C_COMPILER} -shared -fPIC -nostdlib -O2 -ffreestanding -fno-stack-protector
    -fno-asynchronous-unwind-tables -fcf-protection=none -I${CMAKE_SOURCE_DIR}/runtime
    -Wl,-T,${here}/reference_kernel.ld -Wl,--build-id=none ${here}/reference_kernel.c -o ${image})
add_custom_target(reference_kernel_image DEPENDS ${image})
add_library(runtime_fixtures STATIC runtime/test_blob.c runtime/reference_kernel.c runtime/feature_kernel.c
  runtime/mailbox_kernel.c runtime/mailbox_device.c)
target_compile_definitions(runtime_fixtures PUBLIC VYRE_REFERENCE_IMAGE="${image}")
target_include_directories(runtime_fixtures PUBLIC runtime)
target_link_libraries(runtime_fixtures PUBLIC vyre-loader-static sodium)
add_dependencies(runtime_fixtures reference_kernel_image)
