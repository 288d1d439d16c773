// In a file of its own, because the content security policy allows no script within a page.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null, // Swagger UI would otherwise send the description to a validator on the internet
});
