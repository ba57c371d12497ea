/* What the machine has needed, for the tool that runs this program: one line of JSON at the end. */

#include "xsAll.h"

#include <stdio.h>

#include "figures.h"

#define PAINT 0xA5

/* The engine notes its stack's peak in instrumented builds only, so the unused part is painted, and the peak is where the
   paint ends. */
void xs_cli_begin(xsMachinePointer machine) {
  txMachine *the = machine;
  c_memset(the->stackBottom, PAINT, (txByte *)the->stack - (txByte *)the->stackBottom);
}

void xs_cli_figures(xsMachinePointer machine) {
  txMachine *the = machine;
  txByte *unused = (txByte *)the->stackBottom;
  while (unused < (txByte *)the->stack && *(txU1 *)unused == PAINT) unused++;
  int slots = (int)(the->stackTop - (txSlot *)the->stackBottom);
  int untouched = (int)((unused - (txByte *)the->stackBottom) / sizeof(txSlot));
  long slotsPeak = the->peakHeapCount;
  long chunksPeak = the->peakChunksSize;
  fxCollectGarbage(the);
  fprintf(stderr,
          "{\"xs\":\"%d.%d.%d\",\"slotBytes\":%d,\"stack\":%d,\"stackPeak\":%d,\"slotsPeak\":%ld,\"chunksPeak\":%ld,"
          "\"slots\":%ld,\"chunks\":%ld}\n",
          XS_MAJOR_VERSION, XS_MINOR_VERSION, XS_PATCH_VERSION, (int)sizeof(txSlot), slots, slots - untouched, slotsPeak,
          chunksPeak, (long)the->currentHeapCount, (long)the->currentChunksSize);
}
