import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

// Get prints what a URL answers, asked by HttpURLConnection ("old") or java.net.http ("new").
class Get {
    public static void main(String[] args) throws Exception {
        URI uri = new URI(args[1]);
        if (args[0].equals("old")) {
            HttpURLConnection c = (HttpURLConnection) uri.toURL().openConnection();
            System.out.print(new String(c.getInputStream().readAllBytes()));
            return;
        }
        HttpRequest q = HttpRequest.newBuilder(uri).build();
        System.out.print(HttpClient.newHttpClient().send(q, HttpResponse.BodyHandlers.ofString()).body());
    }
}
