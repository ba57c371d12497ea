/* The engine's own header and the one for programs that embed it cannot be read together, hence two files. */

typedef void *xsMachinePointer;

void xs_cli_begin(xsMachinePointer machine);
void xs_cli_figures(xsMachinePointer machine);
