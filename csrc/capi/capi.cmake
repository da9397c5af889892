# What compiled programs use: the shared library with its header and CMake package, and the Cython module.
#
# C programs link polysemy/lib/libpolysemy, which has a core of its own and needs no Python. Inside a Python process
# there is one core, that of _core: it holds the C functions, too, and the Cython module asks it for them.
set(POLYSEMY_CAPI
  csrc/capi/attention.cpp
  csrc/capi/encoder.cpp
  csrc/capi/encoder_spec.cpp
  csrc/capi/guard.cpp
  csrc/capi/products.cpp
  csrc/capi/rows.cpp
  csrc/capi/runtime.cpp)

# Templates of the standard library are visible unless the linker is told what to export.
function(polysemy_exports target script pattern)
  if(APPLE)
    target_link_options(${target} PRIVATE "LINKER:-exported_symbol,_${pattern}")
  elseif(UNIX)
    target_link_options(${target} PRIVATE "LINKER:--version-script=${script}")
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${script})
  endif()
endfunction()
set(POLYSEMY_MODULE_EXPORTS ${CMAKE_CURRENT_SOURCE_DIR}/csrc/bind/exports.map)
set(POLYSEMY_LIBRARY_EXPORTS ${CMAKE_CURRENT_SOURCE_DIR}/csrc/capi/exports.map)

target_sources(_core PRIVATE csrc/bind/bind_capi.cpp ${POLYSEMY_CAPI})
target_compile_definitions(_core PRIVATE POLYSEMY_STATIC)
polysemy_exports(_core ${POLYSEMY_MODULE_EXPORTS} PyInit_*)

add_library(polysemy SHARED ${POLYSEMY_CAPI})
target_link_libraries(polysemy PRIVATE polysemy_core)
target_compile_definitions(polysemy PRIVATE POLYSEMY_BUILDING_LIBRARY POLYSEMY_VERSION="${PROJECT_VERSION}")
target_include_directories(polysemy INTERFACE $<INSTALL_INTERFACE:polysemy/include>)
polysemy_exports(polysemy ${POLYSEMY_LIBRARY_EXPORTS} polysemy_*)
if(WIN32) # polysemy.dll by every compiler; MinGW would call it libpolysemy.dll
  set_target_properties(polysemy PROPERTIES PREFIX "")
endif()

add_custom_command(
  OUTPUT cython_ops.cpp
  COMMAND Python::Interpreter -m cython -3 --cplus --module-name polysemy.cython_ops
          --output-file ${CMAKE_CURRENT_BINARY_DIR}/cython_ops.cpp
          ${CMAKE_CURRENT_SOURCE_DIR}/python/polysemy/cython_ops.pyx
  DEPENDS python/polysemy/cython_ops.pyx python/polysemy/cython_ops.pxd
  VERBATIM)
python_add_library(cython_ops MODULE WITH_SOABI ${CMAKE_CURRENT_BINARY_DIR}/cython_ops.cpp)
target_include_directories(cython_ops PRIVATE csrc/capi)
target_compile_definitions(cython_ops PRIVATE POLYSEMY_STATIC)
polysemy_exports(cython_ops ${POLYSEMY_MODULE_EXPORTS} PyInit_*)

include(CMakePackageConfigHelpers)
configure_package_config_file(csrc/capi/polysemyConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/polysemyConfig.cmake
  INSTALL_DESTINATION polysemy/cmake NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/polysemyConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)

install(TARGETS cython_ops LIBRARY DESTINATION polysemy)
install(TARGETS polysemy EXPORT polysemyTargets
  LIBRARY DESTINATION polysemy/lib ARCHIVE DESTINATION polysemy/lib RUNTIME DESTINATION polysemy/lib)
install(FILES csrc/capi/polysemy.h csrc/capi/polysemy_api.h DESTINATION polysemy/include)
install(FILES python/polysemy/cython_ops.pxd DESTINATION polysemy)
install(EXPORT polysemyTargets NAMESPACE polysemy:: DESTINATION polysemy/cmake)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/polysemyConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/polysemyConfigVersion.cmake
  DESTINATION polysemy/cmake)
