// The caller's certificate as RFC 9440 writes it: ":base64 of the DER:", from the PEM that nginx has.
function header(request) {
  var pem = request.variables.ssl_client_raw_cert;
  return pem ? ":" + pem.replace(/-----[A-Z ]+-----|\s/g, "") + ":" : "";
}

export default { header };
