<?php
// why403: file_get_contents and other streams of PHP ignore the proxy of the
// environment; here they use it. Then what auto_prepend_file named before is run.
(function () {
    $proxy = getenv('HTTPS_PROXY');
    if ($proxy && strncmp($proxy, 'http://', 7) === 0) {
        stream_context_set_default(['http' => ['proxy' => 'tcp://' . rtrim(substr($proxy, 7), '/'), 'request_fulluri' => true]]);
    }
})();
$why403_before = '';
foreach (array_merge([php_ini_loaded_file()], explode(',', (string) php_ini_scanned_files())) as $why403_ini) {
    $why403_ini = trim((string) $why403_ini);
    if ($why403_ini === '' || basename($why403_ini) === 'why403.ini') continue;
    $why403_set = @parse_ini_file($why403_ini, false, INI_SCANNER_RAW);
    if (!empty($why403_set['auto_prepend_file'])) $why403_before = trim($why403_set['auto_prepend_file'], '"');
}
unset($why403_ini, $why403_set);
if ($why403_before !== '' && $why403_before !== 'none') require $why403_before;
