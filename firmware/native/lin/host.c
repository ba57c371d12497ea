/* The command-line build on Linux: the machine as the manifest says, on GLib's event loop. */

#include "xs.h"
#include "mc.xs.h"

#include <glib-unix.h>
#include <stdio.h>
#include <stdlib.h>

#include "figures.h"

void fxAbort(xsMachine *the, int status) {
  (void)the;
  fprintf(stderr, "xs-ipa: the engine gave up (%d)\n", status);
  exit(status);
}

void xs_cli_environment(xsMachine *the) {
  const char *value = getenv(xsToString(xsArg(0)));
  if (value) xsResult = xsString((char *)value);
}

void xs_cli_exit(xsMachine *the) {
  exit(xsToInteger(xsArg(0)));
}

/* The program has no resources of the SDK: no roots for TLS. */
const void *mcGetResource(xsMachine *the, char *path, size_t *size) {
  (void)the, (void)path;
  *size = 0;
  return NULL;
}

static gboolean quit(gpointer loop) {
  g_main_loop_quit(loop);
  return G_SOURCE_REMOVE;
}

int main(void) {
  xsMachine *machine = xsPrepareMachine(NULL, xsPreparation(), "xs-ipa", NULL, NULL);
  GMainLoop *loop = g_main_loop_new(NULL, FALSE);
  int failed = 0;
  if (!machine) return 1;
  xs_cli_begin(machine);
  g_unix_signal_add(SIGTERM, quit, loop);
  g_unix_signal_add(SIGINT, quit, loop);
  xsBeginHost(machine);
  {
    xsVars(1);
    xsTry {
      xsVar(0) = xsAwaitImport("firmware/main", XS_IMPORT_NAMESPACE);
    }
    xsCatch {
      fprintf(stderr, "xs-ipa: %s\n", xsToString(xsException));
      failed = 1;
    }
  }
  xsEndHost(machine);
  if (!failed) g_main_loop_run(loop);
  xs_cli_figures(machine);
  xsDeleteMachine(machine);
  return failed;
}
