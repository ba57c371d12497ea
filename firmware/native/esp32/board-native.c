/* Watchdog, deep sleep and restart of an ESP32, on ESP-IDF 5 and later. */

#include "xsmc.h"
#include "xsHost.h"

#include "esp_sleep.h"
#include "esp_system.h"
#include "esp_task_wdt.h"

/* Watches the task the machine runs on. */
void xs_board_watchdog(xsMachine *the) {
  esp_task_wdt_config_t config = {
      .timeout_ms = (uint32_t)xsmcToInteger(xsArg(0)),
      .idle_core_mask = 0,
      .trigger_panic = true,
  };
  /* ESP-IDF may have started it already. */
  if (esp_task_wdt_init(&config) == ESP_ERR_INVALID_STATE && esp_task_wdt_reconfigure(&config) != ESP_OK)
    xsUnknownError("watchdog");
  if (esp_task_wdt_status(NULL) != ESP_OK && esp_task_wdt_add(NULL) != ESP_OK) xsUnknownError("watchdog");
}

void xs_board_feed(xsMachine *the) {
  (void)the;
  esp_task_wdt_reset();
}

void xs_board_deep_sleep(xsMachine *the) {
  esp_sleep_enable_timer_wakeup((uint64_t)(xsmcToNumber(xsArg(0)) * 1000.0));
  esp_deep_sleep_start();
}

void xs_board_restart(xsMachine *the) {
  (void)the;
  esp_restart();
}
