"""The entry point that verl loads in each of its processes (group `verl.plugins`).

With VERL_PLATFORM=cpu it registers the CPU platform and applies the patches; elsewhere it does nothing. `launch` also
names this module in VERL_USE_EXTERNAL_MODULES, because verl logs a failing entry point at debug level only, while a
failing external module stops the process with its error.
"""

import os

if os.environ.get("VERL_PLATFORM", "").strip().lower() == "cpu":
    from reseek.training import patches, platform_cpu

    platform_cpu.register()
    patches.patch_verl()
