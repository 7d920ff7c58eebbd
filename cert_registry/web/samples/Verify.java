import java.io.*;
import java.net.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.security.*;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.*;

public class Verify {
    static final String BASE = System.getenv("BASE"), CLIENT = System.getenv("CLIENT");

    static String packed(byte[] content) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(content);
    }

    static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String accessToken() throws Exception {
        String pem = new String(Files.readAllBytes(Paths.get(System.getenv("KEY"))), StandardCharsets.US_ASCII);
        byte[] der = Base64.getMimeDecoder().decode(pem.replaceAll("-----[A-Z ]+-----", ""));
        PrivateKey key = KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(der));
        long now = System.currentTimeMillis() / 1000;
        String header = "{\"alg\":\"RS256\",\"kid\":\"" + System.getenv("KID") + "\"}";
        String claims = String.format("{\"iss\":\"%s\",\"sub\":\"%s\",\"aud\":\"%s/oauth2/token\",\"iat\":%d,\"exp\":%d,\"jti\":\"%s\"}",
            CLIENT, CLIENT, BASE, now, now + 55, UUID.randomUUID());
        String content = packed(utf8(header)) + "." + packed(utf8(claims));
        Signature signature = Signature.getInstance("SHA256withRSA");
        signature.initSign(key);
        signature.update(utf8(content));
        String form = "grant_type=client_credentials"
            + "&client_assertion_type=" + URLEncoder.encode("urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "UTF-8")
            + "&client_assertion=" + content + "." + packed(signature.sign());
        String reply = post("/oauth2/token", "application/x-www-form-urlencoded", form, null);
        return reply.replaceAll(".*\"access_token\": *\"([^\"]+)\".*", "$1");
    }

    static String post(String path, String type, String body, String token) throws IOException {
        HttpURLConnection connection = (HttpURLConnection) new URL(BASE + path).openConnection();
        connection.setRequestProperty("Content-Type", type);
        if (token != null) connection.setRequestProperty("Authorization", "Bearer " + token);
        connection.setDoOutput(true);
        try (OutputStream out = connection.getOutputStream()) { out.write(utf8(body)); }
        InputStream in = connection.getResponseCode() < 400 ? connection.getInputStream() : connection.getErrorStream();
        try (Scanner scanner = new Scanner(in, "UTF-8").useDelimiter("\\A")) { return scanner.hasNext() ? scanner.next() : ""; }
    }

    public static void main(String[] arguments) throws Exception {
        String body = String.format("{\"identifier\":\"%s\",\"purpose\":\"受理申请\",\"matter\":\"%s\"}",
            System.getenv("IDENTIFIER"), System.getenv("MATTER"));
        String answer = post("/api/v1/verify/identifier", "application/json", body, accessToken());
        new PrintStream(System.out, true, "UTF-8").println(answer);
    }
}
